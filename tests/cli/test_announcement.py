import signal
import subprocess
import sys
from pathlib import Path

from llmops_api.cli.announcement import announced, find

HOLD = """
import sys, time
from pathlib import Path
from llmops_api.cli.announcement import announced
with announced(Path(sys.argv[1]), "http://there"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_nothing_runs_on_a_folder_that_nobody_served_from(tmp_path: Path) -> None:
    assert find(tmp_path / "data") is None


def test_a_service_is_found_while_it_runs_and_not_after(tmp_path: Path) -> None:
    with announced(tmp_path / "data", "http://here"):
        assert find(tmp_path / "data") == "http://here"
        assert find(tmp_path / "data") == "http://here"
    assert find(tmp_path / "data") is None


def test_a_second_service_on_the_folder_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    with announced(tmp_path, "http://first"):
        with announced(tmp_path, "http://second"):
            assert find(tmp_path) == "http://first"
        assert find(tmp_path) == "http://first"


def test_a_service_that_was_killed_is_not_found(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert find(tmp_path) == "http://there"
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / "service.json").read_text()
    assert find(tmp_path) is None
