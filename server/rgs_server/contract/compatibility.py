"""Whether a contract still keeps what an older one promised: fields are only added.

What a client sends may be asked for less than before, what it receives may hold more. So a request breaks when
something new is required or a value that was taken is not taken any more; an answer breaks when something is
missing or may be of a type that it was not. Kinds in answers may grow (new problem codes, new kinds of features):
the contract tells clients to skip those that they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
ALTERNATIVES = ("anyOf", "oneOf")
METHODS = ("get", "put", "post", "delete", "patch")


def broken_promises(old: Json, new: Json) -> list[str]:
    """What the new document takes away or narrows, one sentence each with its place. Empty: it only adds."""
    return list(_Comparison(old, new).run())


def broken_messages(old: Json, new: Json) -> list[str]:
    """The same of two AsyncAPI documents: what a receiver could rely on and cannot any more."""
    return list(_Comparison(old, new).run_messages())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str, bool]] = set()

    def run(self) -> Iterator[str]:
        for path, operations in self._old["paths"].items():
            for method in METHODS:
                if method not in operations:
                    continue
                name = f"{method.upper()} {path}"
                now = self._new["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{name} is gone"
                    continue
                yield from self._parameters(name, operations[method], now)
                yield from self._body(name, operations[method], now)
                yield from self._answers(name, operations[method], now)
                before, after = operations[method].get("security", []), now.get("security", [])
                if any(way not in after for way in before) or (not before and after and {} not in after):
                    yield f"{name} is secured in another way"

    def run_messages(self) -> Iterator[str]:
        """Of AsyncAPI documents: messages are received, whatever their channel."""
        for channel, before in self._old["channels"].items():
            after = self._new["channels"].get(channel)
            if after is None:
                yield f"channel {channel} is gone"
                continue
            if before["address"] != after["address"]:
                yield f"channel {channel} has another address"
            for name in before["messages"].keys() - after["messages"].keys():
                yield f"channel {channel} carries no {name} any more"
        for name, before in self._old["components"]["messages"].items():
            after = self._new["components"]["messages"].get(name)
            if after is None:
                yield f"message {name} is gone"
            else:
                yield from self._schema(name, before["payload"], after["payload"], sent=False)

    def _parameters(self, name: str, old: Json, new: Json) -> Iterator[str]:
        before = {(p["in"], p["name"]): p for p in old.get("parameters", [])}
        after = {(p["in"], p["name"]): p for p in new.get("parameters", [])}
        for key, parameter in before.items():
            if key not in after:
                yield f"{name}: parameter {key[1]} is gone"
            else:
                yield from self._schema(f"{name}: {key[1]}", parameter["schema"], after[key]["schema"], sent=True)
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{name}: parameter {key[1]} is required now"

    def _body(self, name: str, old: Json, new: Json) -> Iterator[str]:
        before, after = old.get("requestBody"), new.get("requestBody")
        if before is None:
            if after is not None and after.get("required"):
                yield f"{name} needs a body now"
            return
        if after is None:
            yield f"{name} takes no body any more"
            return
        for media_type, content in before["content"].items():
            if media_type not in after["content"]:
                yield f"{name} takes no {media_type} any more"
            else:
                yield from self._schema(
                    f"{name} request", content["schema"], after["content"][media_type]["schema"], sent=True
                )

    def _answers(self, name: str, old: Json, new: Json) -> Iterator[str]:
        for status, answer in old["responses"].items():
            now = new["responses"].get(status)
            if now is None:
                yield f"{name} answers no {status} any more"
                continue
            for header in answer.get("headers", {}).keys() - now.get("headers", {}).keys():
                yield f"{name} {status}: header {header} is gone"
            for media_type, content in answer["content"].items():
                if media_type not in now["content"]:
                    yield f"{name} {status} is not answered as {media_type} any more"
                else:
                    place = f"{name} {status}"
                    yield from self._schema(place, content["schema"], now["content"][media_type]["schema"], sent=False)

    def _schema(self, place: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        """Differences that break; `sent`: clients send such a value, otherwise they receive it."""
        pair = (old.get("$ref", ""), new.get("$ref", ""), sent)
        if pair[0] and pair[1]:
            if pair in self._seen:
                return
            self._seen.add(pair)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        yield from self._types(place, old, new, sent)
        yield from self._bounds(place, old, new, sent)
        yield from self._alternatives(place, old, new, sent)
        if "items" in old:
            yield from self._schema(f"{place}[]", old["items"], new.get("items", {}), sent=sent)
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before, required_after = set(old.get("required", [])), set(new.get("required", []))
        for field, schema in before.items():
            if field not in after:
                yield f"{place}: {field} is gone"
            else:
                yield from self._schema(f"{place}.{field}", schema, after[field], sent=sent)
        for field in sorted(required_after - required_before if sent else required_before - required_after):
            if field in after:
                yield f"{place}: {field} is required now" if sent else f"{place}: {field} may be missing now"

    def _types(self, place: str, old: Json, new: Json, sent: bool) -> Iterator[str]:
        before, after = _types(old), _types(new)
        lost, added = before - after, after - before
        if sent and before != ANY and after != ANY and lost:
            yield f"{place} may not be {', '.join(sorted(lost))} any more"
        if sent and before == ANY and after != ANY:
            yield f"{place} may be only {', '.join(sorted(after))} now"
        if not sent and before != ANY and (added or after == ANY):
            yield f"{place} may be {', '.join(sorted(added)) or 'anything'} now"
        values = [
            set(map(str, s["enum"])) if "enum" in s else {str(s["const"])} if "const" in s else None for s in (old, new)
        ]
        if sent and values[1] is not None and (values[0] is None or values[0] - values[1]):
            gone = sorted((values[0] or {"other values"}) - values[1])
            yield f"{place} does not take {', '.join(gone)} any more"
        if not sent and "const" in old and old["const"] != new.get("const"):
            yield f"{place} is not always {old['const']} now"

    def _bounds(self, place: str, old: Json, new: Json, sent: bool) -> Iterator[str]:
        if not sent:
            return
        for bound in LOWER_BOUNDS:
            if bound in new and new[bound] > old.get(bound, float("-inf")):
                yield f"{place}: {bound} rose to {new[bound]}"
        for bound in UPPER_BOUNDS:
            if bound in new and new[bound] < old.get(bound, float("inf")):
                yield f"{place}: {bound} fell to {new[bound]}"
        if "pattern" in new and new["pattern"] != old.get("pattern"):
            yield f"{place} has another pattern"

    def _alternatives(self, place: str, old: Json, new: Json, sent: bool) -> Iterator[str]:
        before, after = _alternatives(old), _alternatives(new)
        if not before:
            return
        named = {_name(self._new, schema): schema for schema in after}
        for schema in before:
            name = _name(self._old, schema)
            if name not in named:
                yield f"{place}: {name} is gone"
            else:
                yield from self._schema(f"{place} ({name})", schema, named[name], sent=sent)
        allowed = {_name(self._old, schema) for schema in before}
        tagged = "discriminator" in old
        for name in named.keys() - allowed if not sent and not tagged else ():
            yield f"{place} may be {name} now"


ANY = frozenset({"anything"})


def _resolved(document: Json, schema: Json) -> Json:
    """A schema without its reference; what stands beside the reference counts too."""
    while "$ref" in schema:
        target: Json = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _types(schema: Json) -> frozenset[str]:
    found = schema.get("type")
    if found is None:
        return ANY
    return frozenset([found] if isinstance(found, str) else found)


def _alternatives(schema: Json) -> list[Json]:
    return next((schema[key] for key in ALTERNATIVES if key in schema), [])


def _name(document: Json, schema: Json) -> str:
    """What an alternative is called: its reference, or its type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    return "/".join(sorted(_types(_resolved(document, schema))))
