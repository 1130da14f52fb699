"""Settings of a system: a dataclass of described fields, filled from `--set field=value`."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from erc_bench.errors import ConfigError

MAX_SHOWN = 80


def option(
    default: Any,
    description: str,
    *,
    identity: bool = True,
    private: bool = False,
    before: Any = dataclasses.MISSING,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Any:
    """A field of a system's config.

    A default that is a function gives a value that depends on the machine; configs and records hold the value.

    A number says which values make sense: `above` or `at_least` this, `below` or `at_most` that. Nothing else is
    accepted; nan and infinity never are.

    A setting that is added to a system which has runs already says in `before` which value those runs amount to: the
    identity leaves out that value, so that they keep theirs.

    With `identity=False` the setting says how to compute and not what (an address, a number of connections):
    runs that differ only in it are the same run. With `private=True` it may hold a password or say where things lie on
    a machine: it is no part of the identity and stands in no record.

    A setting that names a file says nothing of what was in it. A config class with such settings has a method
    `file_digests() -> dict[str, str]`: by field, the SHA-256 (hex) of the content of each file that a setting names now.
    The digest takes the setting's place in the identity, the file's own name its place in records.
    """
    return dataclasses.field(
        default=dataclasses.MISSING if callable(default) else default,
        default_factory=default if callable(default) else dataclasses.MISSING,
        metadata={
            "description": description,
            "identity": identity and not private,
            "private": private,
            "before": before,
            "limits": Limits(above, at_least, below, at_most),
        },
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that a setting may be: finite ones between two ends, each given at most one way."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def hold(self, value: float) -> bool:
        """Whether a number is among them."""
        return (
            math.isfinite(value)
            and (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )

    def __str__(self) -> str:
        """As an interval: `(0, 1]` is above 0 and at most 1. Empty where there are no limits."""
        if self == Limits():
            return ""
        low = (
            "(-∞"
            if self.above is self.at_least is None
            else f"({self.above:g}"
            if self.above is not None
            else f"[{self.at_least:g}"
        )
        high = (
            "∞)"
            if self.below is self.at_most is None
            else f"{self.below:g})"
            if self.below is not None
            else f"{self.at_most:g}]"
        )
        return f"{low}, {high}"


@dataclasses.dataclass(frozen=True, slots=True)
class FieldInfo:
    """One setting as `systems show` prints it."""

    name: str
    type: str
    default: Any
    description: str
    limits: Limits = Limits()


def _type_name(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(str(value) for value in typing.get_args(annotation))
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("pathlib.", "")


def describe(config_class: type[Any]) -> list[FieldInfo]:
    """The settings of a config class, in order."""
    hints = typing.get_type_hints(config_class)
    return [
        FieldInfo(f.name, _type_name(hints[f.name]), _default(f), f.metadata.get("description", ""), _limits(f))
        for f in dataclasses.fields(config_class)
    ]


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _limits(field: dataclasses.Field[Any]) -> Limits:
    limits: Limits = field.metadata.get("limits", Limits())
    return limits


def parse_settings(config_class: type[Any], settings: Sequence[str], *, owner: str) -> Any:
    """Build a config from `field=value` strings.

    Raises
    ------
    ConfigError
        A setting without `=`, a field that stands twice, or what `build_config` refuses.
    """
    return build_config(config_class, split_settings(settings), owner=owner)


def split_settings(settings: Sequence[str]) -> dict[str, str]:
    """`field=value` strings by field.

    Raises
    ------
    ConfigError
        A setting without `=`, or a field that stands twice.
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set must be field=value, got {_short(setting)}.")
        if name.strip() in values:
            raise ConfigError(f"--set must give a field once, got {_short(name.strip())} twice.")
        values[name.strip()] = value
    return values


def build_config(config_class: type[Any], values: Mapping[str, Any], *, owner: str) -> Any:
    """Build a config from a mapping of field names to values (strings are converted to the field's type).

    Raises
    ------
    ConfigError
        An unknown field, a value of the wrong type, a number outside its limits or that is not finite, or values that do
        not fit together.
    """
    from pydantic import TypeAdapter, ValidationError

    hints = typing.get_type_hints(config_class)
    limits = {f.name: _limits(f) for f in dataclasses.fields(config_class)}
    known = [*limits]
    converted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            fields = ", ".join(known) or "none"
            raise ConfigError(f"a setting of {owner} must be one of: {fields}; got {_short(name)}.{hint}")
        if isinstance(value, str) and value.lower() == "none" and type(None) in typing.get_args(hints[name]):
            converted[name] = None
            continue
        try:
            converted[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise ConfigError(
                f"the setting {name} of {owner} must be {_type_name(hints[name])}, got {_short(value)} ({why})."
            ) from None
        if _is_number(converted[name]) and not limits[name].hold(converted[name]):
            which = f"in {limits[name]}" if str(limits[name]) else "that is finite"
            raise ConfigError(
                f"the setting {name} of {owner} must be a number {which}, got {_number(value)}. `erc-bench systems show "
                f"{owner}` lists what each setting may be."
            )
    try:
        return config_class(**converted)
    except ValueError as error:  # a config's own __post_init__ found an impossible combination
        raise ConfigError(f"the settings of {owner} do not fit together: {error}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> str:
    return _short(value).strip("'")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def as_json(config: Any) -> dict[str, Any]:
    """A config as plain JSON values."""
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(config).items()
    }


def recorded(config: Any) -> dict[str, Any]:
    """A config as a run record keeps it: without private settings, and with files by their own names only."""
    private = {f.name for f in dataclasses.fields(config) if f.metadata.get("private", False)}
    names = {name: Path(str(getattr(config, name))).name for name in _file_digests(config)}
    return {name: value for name, value in (as_json(config) | names).items() if name not in private}


def private_texts(config: Any) -> list[str]:
    """The values of private settings that must not be repeated in a message or a file."""
    private = [f.name for f in dataclasses.fields(config) if f.metadata.get("private", False)]
    return [str(value) for name in private if (value := getattr(config, name)) and len(str(value)) > 3]


def changed_settings(config: Any) -> dict[str, Any]:
    """The identity settings that differ from their defaults, as a run record keeps them."""
    values = recorded(config)
    defaults = {f.name: _default(f) for f in dataclasses.fields(config)}
    return {name: values[name] for name in _identity_fields(config) if getattr(config, name) != defaults[name]}


def shown_settings(config_class: type[Any], values: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a title says of a run whose record holds these values, of which some were asked for.

    Settings that differ from their defaults of today, those that are younger than the run with what they were then; and
    those asked for that the class does not have any more. One whose default depends on the machine is left out.
    """
    fields = {f.name: f for f in dataclasses.fields(config_class)}
    defaults = _recorded_defaults(config_class)
    was = {name: recorded_value(config_class, values, name) for name in defaults} | dict(values) | dict(asked)
    return {
        name: value
        for name, value in was.items()
        if (defaults[name] != value if name in defaults else name not in fields and name in asked)
    }


def repeated_settings(config_class: type[Any], values: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a command must set today, on any machine, to make a run again whose record holds these values.

    The settings of its title, and what those were whose default depends on the machine.
    """
    fields = {f.name: f for f in dataclasses.fields(config_class)}
    of_machine = {
        name: recorded_value(config_class, values, name)
        for name in _identity_fields(config_class)
        if fields[name].default_factory is not dataclasses.MISSING
    }
    return shown_settings(config_class, values, asked) | of_machine


def _recorded_defaults(config_class: type[Any]) -> dict[str, Any]:
    """The identity settings of a class whose default is the same on every machine, as JSON values."""
    fixed = {f.name: f.default for f in dataclasses.fields(config_class) if f.default is not dataclasses.MISSING}
    values = {name: fixed[name] for name in _identity_fields(config_class) if name in fixed}
    found: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return found


def recorded_value(config_class: type[Any], values: Mapping[str, Any], name: str) -> Any:
    """What a setting was in a run whose record holds these settings; None for a class without the setting.

    A setting that is younger than the run was what it says in `before`, or its default.
    """
    if name in values:
        return values[name]
    for field in dataclasses.fields(config_class):
        if field.name == name:
            before = field.metadata.get("before", dataclasses.MISSING)
            fixed = field.default if before is dataclasses.MISSING else before
            return None if fixed is dataclasses.MISSING else fixed
    return None


def _identity_fields(config: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(config) if f.metadata.get("identity", True)]


def _file_digests(config: Any) -> dict[str, str]:
    digests: dict[str, str] = config.file_digests() if hasattr(config, "file_digests") else {}
    return digests


def transfer_identity(corpus: str, labels_sha256: str) -> dict[str, str]:
    """What `config_hash` takes of another corpus that a system is trained on: its name, and how its labels read."""
    return {"dataset": corpus, "labels": labels_sha256}


def config_hash(
    config: Any,
    *,
    targets: str,
    withheld: str | None = None,
    trained_on: Mapping[str, str] | None = None,
    train_subset: str = "all",
) -> str:
    """Twelve hex digits that name a configuration: its identity settings, what it labels, what it never saw, and the
    other corpus or the part of its own that it is trained on.
    """
    values = as_json(config) | {name: f"sha256:{digest}" for name, digest in _file_digests(config).items()}
    before = {f.name: f.metadata.get("before", dataclasses.MISSING) for f in dataclasses.fields(config)}
    kept = [name for name in _identity_fields(config) if values[name] != before.get(name, dataclasses.MISSING)]
    identity = {"config": {name: values[name] for name in kept}, "targets": targets}
    if withheld is not None:
        identity["withheld"] = withheld
    if trained_on is not None:
        identity["trained_on"] = dict(trained_on)
    if train_subset != "all":
        identity["train_subset"] = train_subset
    return hashlib.sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]
