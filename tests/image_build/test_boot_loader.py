"""Which slot GRUB starts: grub.cfg carried out by a shell that stands in for GRUB."""

import re
import subprocess

import pytest

from recipe import HERE
from slot import GRUB_ENVIRONMENT, grub_environment

GRUB_CFG = HERE / "boot/grub.cfg"


def chosen(tmp_path, kernels="AB", **variables):
    """Return the slot that is started, and the tries; what GRUB's language has of its own is put into a shell's."""
    known = {**GRUB_ENVIRONMENT, "B_OK": "1", **variables}
    text = GRUB_CFG.read_text()
    logic = text[text.index('ORDER="A B"') : text.index('if [ -s "$prefix/grubenv" ]; then\n    save_env')]
    logic = re.sub(r"\bset (\w+)=", r"\1=", logic).replace('"($disk,$part)/vmlinuz"', f'"{tmp_path}/$part"')
    logic = logic.replace('-s "$prefix/grubenv"', "1 = 1").replace(
        "load_env", "\n".join(f'{name}="{value}"' for name, value in known.items())
    )
    for slot, part in (("A", "gpt2"), ("B", "gpt3")):
        if slot in kernels:
            (tmp_path / part).touch()
    script = logic + '\necho "$chosen $A_TRY $B_TRY"'
    return subprocess.run(["sh", "-euc", script], check=True, capture_output=True, text=True).stdout.split()


def test_the_first_of_the_order_is_started_and_its_try_counted(tmp_path):
    assert chosen(tmp_path) == ["A", "1", "0"]
    assert chosen(tmp_path, ORDER="B A") == ["B", "0", "1"]


def test_three_tries_and_then_the_other_slot(tmp_path):
    assert chosen(tmp_path, ORDER="B A", B_TRY="1") == ["B", "0", "2"]
    assert chosen(tmp_path, ORDER="B A", B_TRY="2") == ["B", "0", "3"]
    assert chosen(tmp_path, ORDER="B A", B_TRY="3") == ["A", "1", "3"]


def test_a_bad_slot_is_not_started(tmp_path):
    assert chosen(tmp_path, ORDER="B A", B_OK="0") == ["A", "1", "0"]


def test_an_empty_slot_is_not_started(tmp_path):
    assert chosen(tmp_path, kernels="A", ORDER="B A") == ["A", "1", "0"]


@pytest.mark.parametrize("bad", ["0", "1"])
def test_when_no_tries_are_left_all_begin_again(tmp_path, bad):
    assert chosen(tmp_path, ORDER="A B", A_TRY="3", B_TRY="3", B_OK=bad) == ["A", "1", "0"]


def test_without_an_environment_both_slots_count(tmp_path):
    assert chosen(tmp_path, kernels="B") == ["B", "0", "1"]


def test_no_assignment_stands_behind_another():
    """GRUB would take no notice of it."""
    for line in GRUB_CFG.read_text().splitlines():
        assert not re.search(r'^\s*\w+=[^"\s]* \w+=', line), line


def test_the_environment_is_one_block_that_grub_overwrites_in_place():
    block = grub_environment(GRUB_ENVIRONMENT)
    assert len(block) == 1024
    assert block.startswith(b"# GRUB Environment Block\nORDER=A B\nA_OK=1\n")
    assert block.endswith(b"#" * 100)


@pytest.mark.disks
def test_grub_can_read_it():
    subprocess.run(["grub-script-check", GRUB_CFG], check=True)
