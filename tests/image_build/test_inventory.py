"""The list of what is in the image."""

import hashlib
from pathlib import Path

from inventory import bill, debian_packages, python_packages, write_inventory
from recipe import Recipe

ORIGINS = """Package: libc6
Source: glibc
Version: 2:2.41-12+deb13u1
Architecture: amd64
Description: GNU C Library
 with a second line
SHA256: aaaa

Package: tzdata
Version: 2026a-0
Architecture: all
SHA256: bbbb

Package: tzdata
Version: 2026a-0
Architecture: all
SHA256: bbbb

"""


def recipe(out: Path) -> Recipe:
    return Recipe("amd64", "1.2.3", "20260101T000000Z-abc", 1_767_225_600, out, out)


def test_a_package_has_name_version_purl_and_the_hash_of_its_file():
    libc, tzdata = debian_packages(ORIGINS)
    assert libc["name"] == "libc6"
    assert libc["version"] == "2:2.41-12+deb13u1"
    assert libc["purl"] == "pkg:deb/debian/libc6@2%3A2.41-12%2Bdeb13u1?arch=amd64&distro=trixie"
    assert libc["hashes"] == [{"alg": "SHA-256", "content": "aaaa"}]
    assert tzdata["purl"] == "pkg:deb/debian/tzdata@2026a-0?arch=all&distro=trixie"


def test_a_wheel_is_named_as_the_index_names_it(tmp_path):
    (tmp_path / "prometheus_client-0.26.0-py3-none-any.whl").write_bytes(b"wheel")
    (part,) = python_packages(tmp_path)
    assert part["purl"] == "pkg:pypi/prometheus-client@0.26.0"
    assert part["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"wheel").hexdigest()}]


def test_the_bill_is_cyclonedx_and_the_same_each_time():
    parts = debian_packages(ORIGINS)
    once = bill(recipe(Path()), parts)
    assert (once["bomFormat"], once["specVersion"]) == ("CycloneDX", "1.5")
    assert once["metadata"]["timestamp"] == "2026-01-01T00:00:00Z"
    assert once["metadata"]["component"]["version"] == "1.2.3"
    references = [part["bom-ref"] for part in once["components"]]
    assert len(references) == len(set(references)) == 2
    assert once == bill(recipe(Path()), parts)
    assert once["serialNumber"] != bill(recipe(Path()), parts[:1])["serialNumber"]


def test_the_lists_lie_beside_the_image(tmp_path):
    (tmp_path / "origins").write_text(ORIGINS)
    (tmp_path / "click-8.5.1-py3-none-any.whl").touch()
    write_inventory(recipe(tmp_path), tmp_path / "origins", tmp_path)
    assert (tmp_path / "modembank-1.2.3-amd64.packages").read_text() == (
        "libc6 2:2.41-12+deb13u1\ntzdata 2026a-0\nclick 8.5.1\n"
    )
    assert (tmp_path / "modembank-1.2.3-amd64.cdx.json").exists()
