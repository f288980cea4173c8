"""Leave in this virtual environment what the service runs on, and compile what it imports; the image's build runs it."""

import importlib
import pkgutil
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGES = Path(sysconfig.get_path("purelib"))

AWS_SERVICES = {"bedrock", "bedrock-runtime", "signin", "sso", "sso-oidc", "sts"}
"""What the service calls, and what the ways to sign in to it call; botocore describes four hundred more."""

UNUSED = [
    "onnxruntime/capi/libonnxruntime.so.*",  # for programs in C; the Python binding has the same linked in
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "numpy/_core/*_tests.*",
    "numpy/_core/_simd.*",  # for the tests of numpy
    "numpy/distutils",
    "numpy/f2py",
    "numpy/fft",
    "numpy/polynomial",
    "numpy/random",
    "pygments/lexers/[!_p]*.py",  # `rich` colours Python, in a traceback
    "sqlalchemy/dialects/m[sy]*ql",
    "sqlalchemy/dialects/oracle",
    "fastapi_offline/static/redoc*",  # we serve the other page
    *("**/" + part for part in ("tests", "testing", "include", "*.c", "*.h", "*.a", "*.pyi", "*.pyx", "*.pxd")),
]

WITHOUT_EXTRA = "llmops_api.adapters.llama_cpp"
"""The image does not hold what the extra `local` installs."""

LATE_IMPORTS = [
    "rich.console",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.off",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
]
"""What our packages ask for by name, once they work."""


def remove_unused() -> None:
    """Delete what no import of ours reaches. Raises `SystemExit` for a pattern that names nothing any more."""
    for pattern in UNUSED:
        found = list(PACKAGES.glob(pattern))
        if not found:
            sys.exit(f"nothing is called {pattern} any more")
        for path in found:
            _remove(path)
    for path in (PACKAGES / "botocore" / "data").iterdir():
        if path.is_dir() and path.name not in AWS_SERVICES:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def strip_debug_symbols() -> None:
    """Not in `*.libs`: those libraries were patched when their wheel was made, and strip breaks NumPy's."""
    libraries = [path for path in PACKAGES.rglob("*.so") if not path.parent.name.endswith(".libs")]
    subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)  # noqa: S603, S607 - our own arguments; the build's own strip


def compile_imported() -> None:
    """Bytecode for what a start imports, beside its source: a read-only root cannot be given any later.

    Valid by decree, since a copy into another image may change the time of a file.
    """
    ours = importlib.import_module("llmops_api")
    names = [module.name for module in pkgutil.walk_packages(ours.__path__, "llmops_api.")]
    for name in [*names, *LATE_IMPORTS]:
        if not name.endswith("__main__") and not name.startswith(WITHOUT_EXTRA):
            importlib.import_module(name)
    for source in {module.__file__ or "" for module in sys.modules.values() if hasattr(module, "__file__")}:
        if source.endswith(".py") and Path(source).is_relative_to(PACKAGES):
            py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


if __name__ == "__main__":
    remove_unused()
    strip_debug_symbols()
    compile_imported()
