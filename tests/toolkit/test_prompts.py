"""Prompt templates: what they may hold, and what stands in the ones that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.errors import ConfigError, UnknownNameError
from erc_bench.toolkit.prompts import load_prompt, prompt_names

FIELDS = {"required": ["dialogue"], "optional": ["target", "labels"]}


def write(folder: Path, text: str) -> str:
    path = folder / "mine.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", prompt_names())
def test_packaged_prompts_load_and_render(name: str) -> None:
    template = load_prompt(name, **FIELDS)
    text = template.render(dialogue="- Hi {there} .", target="Hi {there} .", labels="joy, anger")
    assert "- Hi {there} ." in text
    assert "{dialogue}" not in text
    assert not text.endswith("\n")


def test_the_papers_llama_prompt_is_the_text_of_figure_2() -> None:
    text = load_prompt("llama2", **FIELDS).render(dialogue="- Yes ?\n- Thanks .", target="Thanks .")
    assert text == (
        "Here is a dialog :\n\n- Yes ?\n- Thanks .\n\nRegarding its conversational context, give me the appropriate emotion to "
        'describe this utterance : "Thanks ." , using only one of the following labels: happiness, sadness, anger, surprise, '
        "fear, disgust, no emotion. Predicted label :"
    )


def test_the_cue_prompt_is_the_text_of_figure_2_with_another_ending() -> None:
    plain, cue = load_prompt("llama2", **FIELDS).text, load_prompt("llama2-cue", **FIELDS).text
    assert cue.removesuffix("The predicted label is:") == plain.removesuffix("Predicted label :") != plain


def test_the_papers_falcon_prompt_is_the_text_of_figure_2() -> None:
    text = load_prompt("falcon", **FIELDS).render(dialogue="- Yes ?\n- Thanks .")
    assert text == (
        "Here is a dialog :\n\n- Yes ?\n- Thanks .\n\nRegarding its conversational context, return the appropriate emotion for "
        "the last utterance among: sadness, happiness, anger, surprise, fear and disgust. If none of them properly correspond, "
        "return 'no emotion'."
    )


def test_a_file_of_ones_own_is_a_template(tmp_path: Path) -> None:
    template = load_prompt(write(tmp_path, "{{json}} {dialogue}?\n\n"), **FIELDS)
    assert template.fields == {"dialogue"}
    assert template.render(dialogue="A", target="unused") == "{json} A?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{dialogue} {emotion}", r"must be among \{dialogue\}, \{labels\}, \{target\}, got \{emotion\}"),
        ("{target}", r"must hold \{dialogue\}, got only \{target\}"),
        ("no placeholder", "got only plain text"),
        ("{dialogue} {", "braces of the prompt .* must match"),
        ("{dialogue} {}", "must be a plain name"),
        ("{dialogue.id}", "must be a plain name"),
        ("{dialogue[0]}", "must be a plain name"),
        ("{dialogue!r}", "must be a plain name"),
        ("{dialogue:>80}", "must be a plain name"),
    ],
)
def test_placeholders_are_checked_both_ways(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_prompt(write(tmp_path, text), **FIELDS)


def test_an_unknown_prompt_names_the_nearest_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'llama2'\? Or give the path"):
        load_prompt("lama2", **FIELDS)
    with pytest.raises(UnknownNameError):
        load_prompt(str(tmp_path / "absent.txt"), **FIELDS)


def test_a_prompt_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("caf\xe9 {dialogue}".encode("latin-1"))
    with pytest.raises(ConfigError, match="must be UTF-8"):
        load_prompt(str(path), **FIELDS)


def test_a_missing_value_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(KeyError):
        load_prompt("llama2", **FIELDS).render(dialogue="A")
