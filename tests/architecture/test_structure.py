"""The architecture as tests: who may import what, how large things may be, what must not be in the tree."""

import ast
import functools
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "daemon").rglob("*.py"), *(ROOT / "web").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))

PURE_TABLES = re.compile(r"/(tables?|alphabets?)(/|_|\.py)|/tables/|_table\.py|_tables\.py")

# Each outside package has one home; whoever else needs what it does asks that home.
SOLE_IMPORTERS = {
    "serialx": {"modembank.port"},
    "aiosqlite": {"modembank.store"},
    "psycopg": {"modembank_hub.postgres.driver"},
    "litestar": {"modembank_web"},
    "uvicorn": {"modembank_web"},
    "jinja2": {"modembank_web"},
    "markupsafe": {"modembank_web"},
    "multipart": {"modembank_web"},
    "phonenumbers": {"modembank.messages", "modembank.providers.rules"},
    "argon2": {"modembank.accounts"},
    "aiosmtplib": {"modembank.providers.adapters"},
    "aiosmtpd": {"modembank_mail"},
    "aiomqtt": {"modembank_fleet.link"},
    "paho": {"modembank_fleet.link"},
    "cryptography": {
        "modembank_fleet.authority",
        "modembank_fleet.credentials",
        "modembank_fleet.wire.signing",
    },
    "httpx": {"modembank.outgoing", "modembank.client", "modembank_fleet.asking"},
    "httpcore": {"modembank.outgoing"},
    "python_calamine": {"modembank.mailings"},
    "pyudev": {"modembank.discovery"},
    "prometheus_client": {"modembank.metrics", "modembank_hub.metrics", "modembank_web"},
    "click": {"modembankd"},
    "systemd": {"modembankd.notify"},
    "uvloop": {"modembankd"},
    "termios": {"modembank.port", "modembank_emulator"},
    "pty": {"modembank_emulator"},
}

# Where catching everything is right: a supervised child, an event subscriber, a write function whose error belongs to
# its caller, an error that comes while an error is told. A clean-up that raises again what it caught is not counted.
BROAD_EXCEPT = {
    "daemon/modembank/supervision.py",
    "daemon/modembank/bus.py",
    "daemon/modembank/dispatch/handover.py",
    "daemon/modembank_hub/ingest.py",
    "daemon/modembank/store/writer.py",
    "web/modembank_web/routing.py",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def functions(path: Path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_import_contracts_hold():
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("package", SOLE_IMPORTERS)
def test_each_outside_package_has_one_home(package):
    homes = SOLE_IMPORTERS[package]
    for path in SOURCES:
        if any(name == package or name.startswith(package + ".") for name in imports(path)):
            name = module_name(path)
            assert any(name == home or name.startswith(home + ".") for home in homes), f"{name} imports {package}"


def test_modules_are_small():
    lines = {path: path.read_text("utf-8").count("\n") for path in SOURCES if not PURE_TABLES.search(str(path))}
    code = {path: count for path, count in lines.items() if count > 3}
    large = {module_name(path): count for path, count in code.items() if count > 600}
    assert not large
    assert statistics.median(code.values()) <= 150
    over = sorted(module_name(path) for path, count in code.items() if count > 350)
    assert len(over) <= len(code) / 10, over


def test_functions_are_small():
    sizes = {(module_name(path), name): size for path in SOURCES for name, size in functions(path)}
    assert statistics.median(sizes.values()) <= 12
    assert not {where: size for where, size in sizes.items() if size > 80}


def test_no_module_has_an_empty_name():
    empty = {"utils", "util", "helpers", "helper", "manager", "handler", "handlers", "data", "misc", "common"}
    assert not [module_name(path) for path in SOURCES if empty & set(module_name(path).split("."))]


def test_every_public_thing_has_a_docstring():
    missing = []
    for path in SOURCES:
        tree = parsed(path)
        if tree.body and not ast.get_docstring(tree):
            missing.append(module_name(path))
        missing += [
            f"{module_name(path)}.{node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert not missing


def test_everything_is_caught_only_at_the_named_boundaries():
    broad = set()
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler):
                names = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(
                    n is None or (isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"}) for n in names
                ):
                    broad.add(str(path.relative_to(ROOT)))
    assert broad == BROAD_EXCEPT


def test_tests_are_at_least_as_long_as_the_source():
    def count(paths):
        return sum(p.read_text("utf-8").count("\n") for p in paths if not PURE_TABLES.search(str(p)))

    assert count(TESTS) >= count(SOURCES)


def test_tests_do_not_wait_by_the_clock_nor_skip():
    offending = []
    for path in TESTS:
        if path == Path(__file__):
            continue
        text = path.read_text("utf-8")
        offending += [f"{path.name}: {word}" for word in ("pytest.skip", "mark.skip", "mark.xfail") if word in text]
    assert not offending


def test_nothing_names_a_machine_or_a_registry():
    machine = re.compile(rb"/(wo" + rb"rk|ro" + rb"ot)/|/home/\w+/")
    host = re.compile(rb"https?://", re.ASCII)
    for path in tracked_files():
        content = path.read_bytes()
        assert not machine.search(content), path
        if path.suffix == ".lock" or path.name.startswith("requirements"):
            assert not host.search(content), path
            assert b"index-url" not in content, path


def test_no_package_file_in_a_top_level_folder():
    assert not [
        p for p in ROOT.glob("*/__init__.py") if p.parent.name in {"daemon", "web", "tests", "systemd", "udev", "image"}
    ]


def test_records_are_structs():
    """A dataclass takes Python forty times as long to make, at every start; it is for what has a field never shown."""
    odd = []
    for path in SOURCES:
        if module_name(path).split(".")[0] in {"modembank_box", "modembank_emulator", "modembank_selftest"}:
            continue
        if module_name(path) == "modembank.errors":  # which every command loads, and most need nothing of msgspec
            continue
        for node in ast.walk(parsed(path)):
            if (
                isinstance(node, ast.ClassDef)
                and any("dataclass" in ast.unparse(one) for one in node.decorator_list)
                and not any("repr=False" in ast.unparse(one) for one in node.body)
            ):
                odd.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert odd == []
