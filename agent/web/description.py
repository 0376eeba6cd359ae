"""The description of the interface by OpenAPI, made of the records that it takes and gives."""

from typing import Any

from pydantic.json_schema import models_json_schema

from agent.service.records import Incident, Query, Submitted
from agent.web.bodies import Delivered, Earlier, NewDecision, NewFeedback, NewIncident, NewQuestion

_TEMPLATE = "#/components/schemas/{model}"
_ERRORS = {
    "400": "The request isn't formed as it should be.", "401": "Nobody is logged in.",
    "403": "The role doesn't allow it, or the sender isn't proven.", "404": "There is no such incident or webhook.",
    "405": "The method isn't for this address.", "408": "The body came too slowly.",
    "409": "It doesn't fit the incident as it stands.", "413": "The body is too long.", "415": "The body isn't JSON.",
    "414": "The address is too long.", "421": "The host isn't this service's.", "422": "A value can't be used.",
    "429": "Too much at once, or too many tokens were wrong; try again after Retry-After.",
    "431": "The headers are too large.",
    "503": "The database doesn't answer, or a secret can't be read here; try again.",
}  # fmt: skip

_ALWAYS = "400 401 403 408 414 421 429 431 503"
"""What any request may be answered with."""


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    bodies = [(one, "validation") for one in (NewIncident, NewDecision, NewFeedback, NewQuestion, Query)]
    answers = [(one, "serialization") for one in (Incident, Submitted, Delivered, Earlier)]
    _, schemas = models_json_schema([*bodies, *answers], by_alias=True, ref_template=_TEMPLATE)  # type: ignore[list-item]
    components = {**schemas["$defs"], "Error": _object(error={"type": "string"}),
                  "Accepted": _object(incident={"type": "string"}),
                  "Asked": _object(incident={"type": "string"}, question={"type": "integer"}),
                  "Incidents": _object(incidents={"type": "array", "items": _ref("Incident")})}  # fmt: skip
    alone = components["Incident"]
    similar = {"similar": {"type": "array", "items": _ref("Earlier"), "description": "Earlier ones of its target."}}
    components["ShownIncident"] = {
        **alone, "title": "ShownIncident", "properties": {**alone["properties"], **similar},
        "required": [*alone["required"], "similar"],
    }  # fmt: skip
    one = "/v1/incidents/{id}"
    paths = {
        "/v1/incidents": {
            "post": _operation("Open an incident, join the open one with the same key, or close it.",
                               {"201": "Submitted", "200": "Submitted"}, takes="NewIncident", fails="413 415 422 429"),
            "get": {**_operation("The incidents asked for, newest first.", {"200": "Incidents"}, fails="422"),
                    "parameters": _query(components.pop("Query"))},
        },
        one: {"get": _operation("One incident.", {"200": "ShownIncident"}, fails="404")},
        f"{one}/events": {"get": _events()},
        f"{one}/decisions": {"post": _operation("Approve, refuse or roll back one exact change.", {"202": "Accepted"},
                                                takes="NewDecision", fails="404 409 413 415 422")},
        f"{one}/close": {"post": _operation("Close it.", {"200": "Accepted"}, fails="404 409")},
        f"{one}/look-again": {"post": _operation("Investigate anew.", {"202": "Accepted"}, fails="404 409 429")},
        f"{one}/feedback": {"post": _operation("Say whether an answer was right.", {"201": "Accepted"},
                                               takes="NewFeedback", fails="404 409 413 415 422")},
        f"{one}/questions": {"post": _operation("Ask about its answer; the reply comes as an event of type reply.",
                                                {"202": "Asked"}, takes="NewQuestion", fails="404 409 413 415 422")},
        "/v1/webhooks/{name}": {"post": _webhook()},
        "/healthz": {"get": _plain("Whether it lives.", "400 421", open_=True)},
        "/readyz": {"get": _plain("Whether its database answers.", "400 421 503", open_=True)},
        "/metrics": {"get": _plain("Figures for Prometheus.", "400 401 403 421 503")},
    }  # fmt: skip
    for path, operations in paths.items():
        if "{id}" in path:
            for operation in operations.values():
                operation.setdefault("parameters", []).insert(0, _parameter("id", "path", {"type": "string"}))
    return {
        "openapi": "3.1.0",
        "info": {"title": "rediagnose", "version": "1", "description": "Incidents of Redis and Valkey."},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }  # fmt: skip


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _TEMPLATE.format(model=name)}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _content(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": _ref(name)}}}


def _parameter(name: str, where: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def _query(model: dict[str, Any]) -> list[dict[str, Any]]:
    return [_parameter(name, "query", schema) for name, schema in model["properties"].items()]


def _failures(codes: str) -> dict[str, Any]:
    return {code: {"description": _ERRORS[code], **_content("Error")} for code in sorted(set(codes.split()))}


def _operation(summary: str, gives: dict[str, str], *, fails: str, takes: str | None = None) -> dict[str, Any]:
    answers = {status: {"description": name, **_content(name)} for status, name in gives.items()}
    failures = {
        code: {"description": _ERRORS[code], **_content("Error")} for code in sorted({*_ALWAYS.split(), *fails.split()})
    }
    found = {"summary": summary, "responses": {**answers, **failures}}
    return {**found, "requestBody": {"required": True, **_content(takes)}} if takes else found


def _events() -> dict[str, Any]:
    found = _operation("Its events as they come, until it's closed.", {}, fails="404 422")
    stream = {"description": "A stream of events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    found["responses"]["200"] = stream
    found["parameters"] = [_parameter("Last-Event-ID", "header", {"type": "string"}),
                           _parameter("after", "query", {"type": "integer", "minimum": 0})]  # fmt: skip
    return found


def _webhook() -> dict[str, Any]:
    found = _operation("An alert or a ticket as its own service sends it: it opens, joins or closes incidents.",
                       {"202": "Delivered"}, fails="404 413 415 422")  # fmt: skip
    proven = "Proven by what the [[webhook]] of this name says, in place of a token of the service."
    anything = {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
    name = _parameter("name", "path", {"type": "string"})
    return {**found, "description": proven, "security": [], "requestBody": anything, "parameters": [name]}


def _plain(summary: str, fails: str, *, open_: bool = False) -> dict[str, Any]:
    text = {"description": "In plain text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"summary": summary, "responses": {"200": text, **_failures(fails)}, **({"security": []} if open_ else {})}
