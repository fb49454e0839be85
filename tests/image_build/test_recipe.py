"""What goes into the image: lists, versions, mirrors."""

import subprocess

import pytest

import base
from recipe import HERE, Recipe, listed, recipe, schema

LISTS = sorted((HERE / "packages").glob("*.txt"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_lists_of_packages_are_sorted_and_name_each_once(path):
    names = listed(path)
    assert names == sorted(set(names))
    assert path.read_text().startswith("#")


def test_no_package_is_common_and_of_one_architecture():
    for path in LISTS:
        if path.stem != "common":
            assert not set(listed(path)) & set(listed(HERE / "packages/common.txt"))


def test_a_recipe_is_of_the_commit(tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    made = recipe("amd64", tmp_path)
    head = subprocess.run(["git", "log", "-1", "--format=%ct %h"], cwd=HERE, check=True, capture_output=True, text=True)
    time, commit = head.stdout.split()
    assert made.epoch == int(time)
    assert made.build.split("-")[1].removesuffix("+changed") == commit
    assert made.table == "gpt"
    assert recipe("arm64", tmp_path).table == "dos"


def test_a_version_for_tests_can_be_given(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEMBANK_VERSION", "9.8.7")
    assert recipe("amd64", tmp_path).name == "modembank-9.8.7-amd64"


def test_a_release_tells_version_and_schema(tmp_path):
    text = Recipe("arm64", "1.2.3", "b", 1, tmp_path, tmp_path).release()
    assert text == f'version = "1.2.3"\nbuild = "b"\narchitecture = "arm64"\nschema = {schema()}\n'
    assert schema() >= 11


def test_mirrors_come_from_the_environment_or_apt(monkeypatch):
    monkeypatch.setattr(
        base, "run", lambda words, **_: "Debian mirror:one\nDebian-Security mirror:two\nOther mirror:no\n"
    )
    monkeypatch.setenv("DEBIAN_MIRROR", "mirror:mine")
    monkeypatch.delenv("DEBIAN_SECURITY_MIRROR", raising=False)
    assert [line.split()[1:3] for line in base.apt_sources("amd64")] == [
        ["mirror:mine", "trixie"],
        ["mirror:mine", "trixie-updates"],
        ["mirror:two", "trixie-security"],
    ]


def test_without_a_mirror_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(base, "run", lambda words, **_: "")
    monkeypatch.delenv("DEBIAN_MIRROR", raising=False)
    with pytest.raises(SystemExit, match="DEBIAN_MIRROR"):
        base.apt_sources("amd64")
