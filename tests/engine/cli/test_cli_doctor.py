from __future__ import annotations

import pytest

from likeness.cli import doctor, main
from likeness.contract.errors import MachineError


def test_here_everything_is_in_order(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    for name in ("python", "torch", "mediapipe", "numba", "cuda", "cores", "memory", "av", "video", "open head"):
        assert any(f" {name} " in line for line in lines), name


def test_what_is_broken_is_named_with_its_remedy(capsys, monkeypatch):
    def missing():
        raise MachineError("head.missing", "Open Head cannot be read.", "Install the engine again.")

    monkeypatch.setattr("likeness.head.model.load_open_head", missing)
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no_such_package"))
    assert main(["doctor"]) == 4
    output, errors = capsys.readouterr()
    broken = [line for line in output.splitlines() if line.startswith("broken")]
    assert len(broken) == 2 and all("Install" in line for line in broken)
    assert errors.splitlines()[-1].startswith("error: machine.broken: Not in order: no_such_package, open head.")


def test_a_cache_that_cannot_be_written_is_noted(monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (finding,) = doctor.check_cache()
    assert finding.state == "note" and "NUMBA_CACHE_DIR" in finding.remedy


@pytest.mark.parametrize("free, state", [(8.0, "ok"), (0.5, "note"), (None, "note")])
def test_memory_is_judged(monkeypatch, free, state):
    monkeypatch.setattr(doctor, "_free_gib", lambda: free)
    assert doctor.check_machine()[1].state == state
