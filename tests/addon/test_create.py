"""Create Avatar as a script calls it: what it leaves in the scene, and every failure as one report and nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest
from addon.operators.create import CreateAvatarOperator, make
from addon.operators.work import Work
from create_parts import registered
from making_engine import STAGES
from scene_dump import dump
from whole_avatars import small_avatar_bytes

from addon import session

ENGINE = Path(__file__).with_name("making_engine.py")


@pytest.fixture(autouse=True)
def addon_in_an_empty_file(monkeypatch):
    use_engine(monkeypatch)
    with registered():
        yield


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "Ada.jpg"
    path.write_bytes(b"a photograph")
    return path


def use_engine(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setenv("LIKENESS_ENGINE", shlex.join([sys.executable, str(ENGINE), *arguments]))


def create(photo: Path, **options: object) -> set[str]:
    return bpy.ops.likeness.create_avatar(filepath=str(photo), **options)


def refusal(photo: Path, **options: object) -> str:
    """Return what Create reports, which must be one line and leave everything as it was."""
    before = dump()
    with pytest.raises(RuntimeError) as caught:
        create(photo, **options)
    assert dump() == before
    text = str(caught.value).removeprefix("Error: ").strip()
    assert "\n" not in text and "Traceback" not in text and text.endswith(".")
    assert session.last_error is not None and text == f"{session.last_error.message} {session.last_error.remedy}"
    assert session.work is None
    return text


def test_a_photo_becomes_an_active_avatar_of_its_name(photo):
    assert create(photo, quality="draft") == {"FINISHED"}
    mesh = bpy.context.object
    assert mesh.type == "MESH" and mesh.name == "Ada" and mesh.likeness.splats is not None
    assert set(bpy.context.selected_objects) == {mesh, mesh.parent}
    assert session.last_error is None and session.warnings == ()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")
def test_a_photos_name_need_not_be_text(tmp_path):
    photo = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Ad\xe4.jpg"))
    photo.write_bytes(b"a photograph")
    assert create(photo) == {"FINISHED"}
    assert bpy.context.object.name == "Ad?"
    photo.unlink()
    assert refusal(photo) == "Ad?.jpg is no longer there. Choose another photo."


def test_several_at_once_are_as_many_avatars(photo):
    other = photo.with_name("Grace.jpg")
    other.write_bytes(b"another")
    names = [{"name": photo.name}, {"name": other.name}]
    assert bpy.ops.likeness.create_avatar(directory=str(photo.parent), files=names) == {"FINISHED"}
    assert {"Ada", "Grace"} <= {item.name for item in bpy.data.objects}


def test_it_is_called_from_edit_mode_too(photo):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    assert create(photo) == {"FINISHED"}
    assert bpy.context.mode == "OBJECT" and bpy.context.object.name == "Ada"


def test_the_choices_reach_the_engine(photo, monkeypatch):
    use_engine(monkeypatch, "choices")
    assert refusal(photo, quality="high", head="/models/flame.pkl", face=2) == (
        "high /models/flame.pkl 2 Ada.jpg 12 None."
    )
    assert refusal(photo) == "standard open None Ada.jpg 12 None."


def test_warnings_are_kept_for_the_panel_in_blenders_words(photo, monkeypatch):
    use_engine(monkeypatch, "warn")
    assert create(photo) == {"FINISHED"}
    assert session.warnings == ("Took the largest of 3 faces. Face in the panel picks another.",)
    assert bpy.ops.likeness.dismiss() == {"FINISHED"}
    assert session.warnings == ()


@pytest.mark.parametrize("stage", ["start", *STAGES])
def test_an_engine_that_dies_leaves_the_scene_and_starts_again(photo, tmp_path, monkeypatch, stage):
    use_engine(monkeypatch, "die", stage, str(tmp_path / "died"))
    text = refusal(photo)
    assert "The engine ended" in text and "Start the engine again." in text
    session.restart()
    assert create(photo) == {"FINISHED"}
    assert session.last_error is None


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("newer", "Update the add-on."),
        ("full", "A disk is full. Free some space"),
        ("face", "No face was found in the picture."),
        ("broken", "cannot be read as an avatar"),
    ],
)
def test_what_the_engine_refuses_is_one_readable_report(photo, monkeypatch, mode, words):
    use_engine(monkeypatch, mode)
    assert words in refusal(photo)


def test_without_an_engine_it_says_what_to_do(photo, monkeypatch):
    monkeypatch.delenv("LIKENESS_ENGINE")
    assert "Set up the engine" in refusal(photo)
    assert session.status().error.code == "engine.none"


def test_an_engine_that_is_not_there_says_so(photo, monkeypatch):
    monkeypatch.setenv("LIKENESS_ENGINE", "/nowhere/likeness serve")
    assert "/nowhere/likeness" in refusal(photo)


def test_a_vanished_photo_is_named(tmp_path):
    assert refusal(tmp_path / "gone.jpg") == "gone.jpg is no longer there. Choose another photo."


def test_without_a_photo_there_is_nothing_to_do():
    with pytest.raises(RuntimeError, match="No photo is given"):
        bpy.ops.likeness.create_avatar()


def test_a_head_that_is_not_chosen_is_asked_for(photo):
    assert "No FLAME file is chosen." in refusal(photo, head="")


def test_one_at_a_time(photo):
    work = Work(lambda work: work.wait(5))
    session.begin(work)
    with pytest.raises(RuntimeError, match="Something else is on its way"):
        create(photo)
    assert bpy.ops.likeness.cancel() == {"FINISHED"}
    assert work.done and work.cancelled


def choose_in_the_browser(
    photo: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None] = int
) -> set[str]:
    """Call Create as the file browser does when a photo was chosen in it, after what has happened meanwhile."""
    whole = CreateAvatarOperator.execute

    def execute(operator, context):
        monkeypatch.setattr(CreateAvatarOperator, "execute", whole)
        meanwhile()
        operator.is_browsing = True
        return whole(operator, context)

    monkeypatch.setattr(CreateAvatarOperator, "execute", execute)
    return create(photo)


def test_the_file_browsers_choice_is_made(photo, monkeypatch):
    assert choose_in_the_browser(photo, monkeypatch) == {"CANCELLED"}  # another one begins, and here ends at once
    assert bpy.context.object.name == "Ada"


def test_the_file_browsers_choice_fails_with_one_report(photo, monkeypatch):
    monkeypatch.setenv("LIKENESS_ENGINE", "/nowhere/likeness serve")
    with pytest.raises(RuntimeError, match="/nowhere/likeness") as caught:
        choose_in_the_browser(photo, monkeypatch)
    assert "Traceback" not in str(caught.value)
    assert session.last_error.code == "engine.not_found" and session.work is None


def test_the_file_browsers_choice_comes_while_another_avatar_is_on_its_way(photo, monkeypatch):
    work = Work(lambda work: work.wait(5))
    with pytest.raises(RuntimeError, match="Something else is on its way") as caught:
        choose_in_the_browser(photo, monkeypatch, lambda: session.begin(work))
    assert "Traceback" not in str(caught.value) and session.work is work and not work.done
    work.cancel()
    session.end()


def test_undo_takes_the_avatar_away_as_one_step_and_redo_brings_it_back(photo):
    bpy.ops.ed.undo_push(message="Before")
    before = dump()
    create(photo)
    bpy.ops.ed.undo_push(message="Create Avatar")  # Blender does it itself for operators that a person calls
    after = dump()
    bpy.ops.ed.undo()
    assert dump() == before
    bpy.ops.ed.redo()
    assert dump() == after


def test_the_avatar_survives_saving_and_loading(photo, tmp_path):
    create(photo)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    photo.unlink()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert bpy.data.objects["Ada"].likeness.splats is not None


def test_the_fake_engines_avatar_is_a_sound_one():
    from likeness.contract.avatar_file import avatar_from_bytes

    assert avatar_from_bytes(small_avatar_bytes(), Path("x.likeness")).rig.head_vertices == 4


@pytest.fixture
def real_engine(monkeypatch):
    likeness = Path(os.environ.get("LIKENESS_TEST_ENGINE", Path(__file__).parents[2] / ".venv"))
    if not (likeness / "bin" / "likeness").exists():
        pytest.skip("no engine's environment in .venv (make setup)")
    monkeypatch.setenv("LIKENESS_ENGINE", str(likeness))
    return likeness


def real_photo(environment: Path, target: Path, picture: str) -> Path:
    program = f"from skimage import data, io; io.imsave({str(target)!r}, data.{picture}())"
    done = subprocess.run([environment / "bin" / "python", "-c", program], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip("the engine's environment has no scikit-image, which brings a portrait (make setup-test)")
    return target


def test_the_real_engine_makes_the_astronaut(real_engine, tmp_path):
    photo = real_photo(real_engine, tmp_path / "astronaut.png", "astronaut")
    bpy.ops.ed.undo_push(message="Before")
    before = dump()
    assert create(photo, quality="draft") == {"FINISHED"}
    mesh = bpy.context.object
    assert mesh.name == "astronaut" and mesh.type == "MESH"
    assert {"jawOpen", "mouthSmileLeft"} <= set(mesh.data.shape_keys.key_blocks.keys())
    bpy.ops.ed.undo_push(message="Create Avatar")
    bpy.ops.ed.undo()
    assert dump() == before


def test_the_real_engine_never_holds_the_main_thread(real_engine, tmp_path):
    """What blocks does so each time; what other programs cause does not, so the better of two runs counts."""
    photo = real_photo(real_engine, tmp_path / "astronaut.png", "astronaut")
    client = session.client()
    choice = {"quality": "draft", "head": "open", "face": None, "device": "auto"}
    worst = []
    for _ in range(2):
        work = Work(lambda work: make(work, client, photo, choice))
        gaps, last = [], time.perf_counter()
        while not work.wait(0.001):
            now = time.perf_counter()
            gaps.append(now - last)
            last = now
        assert work.error is None and len(gaps) > 100
        worst.append(max(gaps))
    assert min(worst) < 0.2


def test_the_real_engine_finds_no_face_in_a_cup_of_coffee_and_goes_on(real_engine, tmp_path):
    photo = real_photo(real_engine, tmp_path / "coffee.png", "coffee")
    assert "No face was found" in refusal(photo, quality="draft")
    assert "cannot be opened" in refusal(photo, head=str(tmp_path / "flame.pkl"))
