"""What every state store must do; a test class inherits this and supplies the fixture `store`."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from llmops_api.errors import BadInput, NotFound, VersionMismatch
from llmops_api.ports.state import Append, Delete, Erase, Put, Record, Require, Restore, StateStore

PREFIX_TRAPS = [
    "",
    "%",
    "_",
    "a",
    "a%",
    "a_",
    "aa",
    "ab",
    "b",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\U0001f409",
    "\U0010ffff",
]
"""LIKE wildcards, the edges of the surrogates, and the end of Unicode."""


class StateStoreContract:
    async def test_a_record_comes_back_as_it_was_put(self, store: StateStore) -> None:
        """A value keeps its nesting, its numbers and every script; the record says its version and its age."""
        value = {"text": "naïve 龍 🐉 \u2028 \\u0000", "n": 2**63 - 1, "x": 0.1, "deep": {"list": [None, True, []]}}

        before = datetime.now(UTC)
        numbers = await store.write(Put("world", "emberfall", value))

        record = await store.get("world", "emberfall")
        assert record is not None
        assert (record.kind, record.key, record.version, record.value) == ("world", "emberfall", 1, value)
        assert abs(record.updated_at - before) < timedelta(minutes=1)
        assert numbers == [1]

    async def test_kinds_do_not_share_keys(self, store: StateStore) -> None:
        """The same key under another kind is another record."""
        await store.write(Put("world", "a", {"n": 1}), Put("character", "a", {"n": 2}))

        record = await store.get("character", "a")

        assert record is not None
        assert record.value == {"n": 2}
        assert await store.get("key", "a") is None

    async def test_a_write_that_requires_a_record_goes_with_it(self, store: StateStore) -> None:
        """While the record stands the write is made; once it is deleted nothing of the write is."""
        await store.write(Put("world", "a", {}))

        numbers = await store.write(Require("world", "a"), Put("k", "a", {"n": 1}))
        await store.write(Delete("world", "a"))
        with pytest.raises(NotFound):
            await store.write(Put("k", "a", {"n": 2}), Append("s", ({},)), Require("world", "a"))

        record = await store.get("k", "a")
        assert record is not None
        assert (numbers, record.value) == ([1, 1], {"n": 1})
        assert await store.read("s") == []

    async def test_no_write_slips_past_the_deletion_of_what_it_requires(self, store: StateStore) -> None:
        """Many writers and one that deletes: what was written before the deletion can be removed after it, for good."""
        await store.write(Put("world", "a", {}))

        async def write(number: int) -> None:
            with suppress(NotFound):
                await store.write(Require("world", "a"), Put("k", f"a/{number}", {}))

        async def remove() -> None:
            await store.write(Delete("world", "a"))
            await store.write(*(Delete("k", record.key) for record in await store.list("k", prefix="a/")))

        await asyncio.gather(*map(write, range(20)), remove(), *map(write, range(20, 40)))

        assert await store.list("k", prefix="a/") == []

    async def test_versions_count_up(self, store: StateStore) -> None:
        """Each put adds one, whether it stated what it expected or not."""
        first = await store.write(Put("k", "a", {}, expected_version=0))
        second = await store.write(Put("k", "a", {}, expected_version=1))
        third = await store.write(Put("k", "a", {}))

        assert [first, second, third] == [[1], [2], [3]]

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_put_that_expects_another_version_changes_nothing(self, store: StateStore, expected: int) -> None:
        """The loser of a race is told so, and the message holds nothing of the value."""
        await store.write(Put("k", "a", {"n": 1}))
        await store.write(Put("k", "a", {"n": 2}))

        with pytest.raises(VersionMismatch) as raised:
            await store.write(Put("k", "a", {"secret": "dragon"}, expected_version=expected))

        record = await store.get("k", "a")
        assert record is not None
        assert (record.version, record.value) == (2, {"n": 2})
        assert "dragon" not in raised.value.message

    async def test_a_write_is_all_or_nothing(self, store: StateStore) -> None:
        """One expectation that fails takes back every change beside it."""
        await store.write(Put("k", "old", {}), Append("s", ({"n": 1},)))

        with pytest.raises(VersionMismatch):
            await store.write(
                Put("k", "new", {}),
                Delete("k", "old"),
                Append("s", ({"n": 2},)),
                Erase("s"),
                Put("k", "other", {}, expected_version=7),
            )

        assert await store.get("k", "new") is None
        assert await store.get("k", "old") is not None
        assert [event.value for event in await store.read("s")] == [{"n": 1}]

    async def test_a_deleted_record_is_gone_but_keeps_its_number(self, store: StateStore) -> None:
        """Its next life goes on counting, so that no version ever means two things."""
        await store.write(Put("k", "a", {}))
        deleted = await store.write(Delete("k", "a", expected_version=1))

        assert await store.get("k", "a") is None
        assert await store.get_many("k", ["a"]) == {}
        assert await store.list("k") == []
        assert deleted == [2]
        assert await store.write(Put("k", "a", {}, expected_version=0)) == [3]

    async def test_a_forgotten_record_starts_anew(self, store: StateStore) -> None:
        """A deletion that forgets drops the number too, from a record or from what a deletion left."""
        await store.write(Put("k", "a", {}), Put("k", "b", {}))
        await store.write(Delete("k", "b"))

        numbers = await store.write(Delete("k", "a", forget=True), Delete("k", "b", forget=True))

        assert numbers == [0, 0]
        assert await store.write(Put("k", "a", {}), Put("k", "b", {})) == [1, 1]

    async def test_deleting_what_is_not_there_is_no_error(self, store: StateStore) -> None:
        """Unless the caller says that it should be there."""
        assert await store.write(Delete("k", "a")) == [0]
        assert await store.write(Delete("k", "a", expected_version=0)) == [0]
        with pytest.raises(VersionMismatch):
            await store.write(Delete("k", "a", expected_version=1))

    async def test_a_deleted_record_does_not_meet_the_expectation_of_its_old_version(self, store: StateStore) -> None:
        """A writer who read it before it went loses the race."""
        await store.write(Put("k", "a", {}))
        await store.write(Delete("k", "a"))

        for change in (Put("k", "a", {}, expected_version=2), Delete("k", "a", expected_version=2)):
            with pytest.raises(VersionMismatch):
                await store.write(change)

    async def test_later_changes_of_a_write_see_the_earlier_ones(self, store: StateStore) -> None:
        """Changes are made in order, also when they are about the same record or stream."""
        numbers = await store.write(
            Put("k", "a", {"n": 1}, expected_version=0),
            Put("k", "a", {"n": 2}, expected_version=1),
            Delete("k", "a", expected_version=2),
            Put("k", "a", {"n": 4}, expected_version=0),
            Append("s", ({"n": 1}, {"n": 2})),
            Append("s", ({"n": 3},), expected_position=2),
            Erase("s"),
            Append("s", ({"n": 4},), expected_position=0),
        )

        record = await store.get("k", "a")
        assert numbers == [1, 2, 3, 4, 2, 3, 0, 1]
        assert record is not None
        assert (record.version, record.value) == (4, {"n": 4})
        assert [event.value for event in await store.read("s")] == [{"n": 4}]

    async def test_writing_nothing_changes_nothing(self, store: StateStore) -> None:
        """No change, no number; an append of no events tells where the stream ends."""
        await store.write(Append("s", ({},)))

        assert await store.write() == []
        assert await store.write(Append("s", ())) == [1]

    async def test_many_records_are_written_and_read_at_once(self, store: StateStore) -> None:
        """Thousands of puts in one write, half of them over older versions; missing keys are left out."""
        await store.write(*(Put("k", f"{n}", {"n": -1}) for n in range(0, 6000, 2)))

        numbers = await store.write(*(Put("k", f"{n}", {"n": n}) for n in range(6000)))
        records = await store.get_many("k", [f"{n}" for n in range(7000)])

        assert numbers == [2, 1] * 3000
        assert {key: record.value["n"] for key, record in records.items()} == {f"{n}": n for n in range(6000)}

    async def test_a_list_is_in_code_point_order(self, store: StateStore) -> None:
        """Not in the order of any language: capitals before small letters, emoji after the private use area."""
        keys = ["b", "a", "B", "é", "e", "a/b", "a.b", "a_b", "\ue000", "\U0001f409", "\uffff", "龍", "10", "9"]
        await store.write(*(Put("k", key, {}) for key in keys), Put("l", "a", {}))

        assert [record.key for record in await store.list("k")] == sorted(keys)

    @pytest.mark.parametrize("prefix", PREFIX_TRAPS)
    async def test_a_prefix_is_exact(self, store: StateStore, prefix: str) -> None:
        """No character of a prefix is a wildcard, and the last characters of Unicode end nothing early."""
        keys = [first + second for first in PREFIX_TRAPS[1:] for second in PREFIX_TRAPS]
        await store.write(*(Put("k", key, {}) for key in keys))

        found = [record.key for record in await store.list("k", prefix=prefix)]

        assert found == sorted({key for key in keys if key.startswith(prefix)})

    async def test_a_list_is_read_page_by_page(self, store: StateStore) -> None:
        """Each page goes on after the last key of the one before, inside the prefix."""
        await store.write(*(Put("k", key, {}) for key in ("a/1", "b/1", "b/2", "b/3", "c/1")))

        pages = [
            [record.key for record in await store.list("k", prefix="b/", after=after, limit=2)]
            for after in ("", "a/1", "b/2", "b/3", "c/1")
        ]

        assert pages == [["b/1", "b/2"], ["b/1", "b/2"], ["b/3"], [], []]

    async def test_a_stream_is_read_from_either_end(self, store: StateStore) -> None:
        """Positions start at 1; `after` and `limit` hold in both directions."""
        await store.write(Append("s", tuple({"n": n} for n in range(1, 6))), Append("t", ({"n": 0},)))

        forwards = await store.read("s", after=1, limit=2)
        backwards = await store.read("s", after=1, limit=2, newest_first=True)

        assert [(event.position, event.value["n"]) for event in forwards] == [(2, 2), (3, 3)]
        assert [(event.position, event.value["n"]) for event in backwards] == [(5, 5), (4, 4)]
        assert len(await store.read("s")) == 5
        assert await store.read("u") == []

    async def test_an_append_that_expects_another_position_changes_nothing(self, store: StateStore) -> None:
        """A late write from an abandoned branch is refused."""
        await store.write(Append("s", ({"n": 1},), expected_position=0))

        for expected in (0, 2):
            with pytest.raises(VersionMismatch):
                await store.write(Append("s", ({"n": 2},), expected_position=expected))

        assert await store.write(Append("s", ({"n": 2},), expected_position=1)) == [2]

    async def test_an_erased_stream_is_empty_again(self, store: StateStore) -> None:
        """Nothing of it is left, and other streams are untouched."""
        await store.write(Append("s", ({},)), Append("t", ({},)))

        assert await store.write(Erase("s"), Erase("u")) == [0, 0]
        assert await store.read("s") == []
        assert len(await store.read("t")) == 1

    async def test_concurrent_appends_lose_nothing(self, store: StateStore) -> None:
        """Two hundred writers to one stream get two hundred positions, without a gap."""
        numbers = await asyncio.gather(*(store.write(Append("s", ({"n": n},))) for n in range(200)))

        events = await store.read("s")
        assert [event.position for event in events] == list(range(1, 201))
        assert {event.value["n"]: event.position for event in events} == {n: last for n, [last] in enumerate(numbers)}

    async def test_of_concurrent_creators_one_wins(self, store: StateStore) -> None:
        """Twenty writers expect that the record is not there; nineteen are told that it is."""
        results = await asyncio.gather(
            *(store.write(Put("k", "a", {"n": n}, expected_version=0)) for n in range(20)), return_exceptions=True
        )

        assert [result for result in results if not isinstance(result, VersionMismatch)] == [[1]]

    async def test_concurrent_puts_each_get_a_version(self, store: StateStore) -> None:
        """Writers who expect nothing follow one another, on a new record too."""
        numbers = await asyncio.gather(*(store.write(Put("k", "a", {"n": n})) for n in range(50)))

        assert sorted(number for [number] in numbers) == list(range(1, 51))

    async def test_cancelled_writers_leave_the_store_in_order(self, store: StateStore) -> None:
        """A write whose caller went away is there wholly or not at all, and the next one goes through."""
        tasks = [asyncio.ensure_future(store.write(Put("k", f"{n}", {}), Append("s", ({"n": n},)))) for n in range(40)]
        for n, task in enumerate(tasks):
            await asyncio.sleep(0)
            if n % 3:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        await store.write(Append("s", ({"n": -1},)))

        written = {event.value["n"] for event in await store.read("s")}
        acknowledged = {n for n, result in enumerate(results) if isinstance(result, list)}
        assert acknowledged <= written
        assert {record.key for record in await store.list("k")} == {f"{n}" for n in written if n >= 0}

    @pytest.mark.parametrize("broken", ["\ud800", "nul\0", "\udfff tail"])
    async def test_broken_characters_are_bad_input(self, store: StateStore, broken: str) -> None:
        """In a value, a key or a stream: they cannot be kept by every technology, so they are kept by none."""
        for change in (
            Put("k", "a", {"text": broken}),
            Put("k", "a", {"deep": [{broken: 1}]}),
            Put("k", broken, {}),
            Append("s", ({}, {"text": broken})),
            Append(broken, ({},)),
            Erase(broken),
            Delete("k", broken),
        ):
            with pytest.raises(BadInput):
                await store.write(change)
        for reading in (store.get("k", broken), store.read(broken), store.list("k", prefix=broken)):
            with pytest.raises(BadInput):
                await reading

        assert await store.list("k") == []
        assert await store.read("s") == []

    async def test_what_is_no_json_is_bad_input(self, store: StateStore) -> None:
        """An integer that other readers of JSON would bend, or a value that has no JSON form."""
        for value in ({"n": 2**64}, {"n": object()}, {1: "one"}):
            with pytest.raises(BadInput):
                await store.write(Put("k", "a", value))  # type: ignore[dict-item]  # a wrong key is the point

    async def test_a_restored_record_is_as_it_was_elsewhere(self, store: StateStore) -> None:
        """Its number and its moment too, over whatever was there, and its next version is the next number."""
        moment = datetime(2021, 5, 4, 3, 2, 1, 987_654, tzinfo=UTC)
        await store.write(*(Put("k", "a", {"n": n}) for n in range(9)))

        assert await store.write(Restore("k", "a", 5, {"n": 1}, moment), Restore("k", "b", 3, {}, moment)) == [5, 3]

        assert await store.list("k") == [Record("k", "a", 5, {"n": 1}, moment), Record("k", "b", 3, {}, moment)]
        assert await store.write(Put("k", "a", {}, expected_version=5)) == [6]

    async def test_what_a_deletion_left_can_be_listed_and_restored(self, store: StateStore) -> None:
        """The number goes on counting where it was restored; nothing else sees that there was a record."""
        moment = datetime(2021, 5, 4, tzinfo=UTC)
        await store.write(Put("k", "a", {"n": 1}), Put("k", "b", {}), Put("k", "c", {}))
        await store.write(Delete("k", "a"), Delete("k", "c", forget=True))
        await store.write(Restore("k", "d", 7, None, moment))

        listed = await store.list("k", deleted=True)

        assert [(each.key, each.version, each.value, each.deleted) for each in listed] == [
            ("a", 2, {}, True),
            ("b", 1, {}, False),
            ("d", 7, {}, True),
        ]
        assert listed[2].updated_at == moment
        assert [record.key for record in await store.list("k", after="a", limit=1, deleted=True)] == ["b"]
        assert [record.key for record in await store.list("k")] == ["b"]
        assert await store.get("k", "d") is None
        assert await store.write(Put("k", "d", {}, expected_version=0)) == [8]

    async def test_an_event_may_say_when_it_was_recorded_elsewhere(self, store: StateStore) -> None:
        """To the microsecond; the others were recorded now."""
        moments = (
            datetime(2021, 5, 4, 3, 2, 1, 1, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        )
        await store.write(Append("s", ({"n": 1}, {"n": 2}), recorded_at=moments))
        await store.write(Append("s", ({"n": 3},)))

        events = await store.read("s")

        assert [(event.position, event.value["n"]) for event in events] == [(1, 1), (2, 2), (3, 3)]
        assert tuple(event.recorded_at for event in events[:2]) == moments
        assert abs(events[2].recorded_at - datetime.now(UTC)) < timedelta(minutes=1)

    async def test_a_store_that_is_open_answers_a_ping(self, store: StateStore) -> None:
        """An empty one too."""
        await store.ping()
