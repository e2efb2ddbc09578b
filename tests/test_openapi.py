"""A newer API document: what nobody has decided anything about is named."""

from pathlib import Path
from typing import Any

import pytest

from tests.openapi import Document, main, read

TEXT = {"type": "string"}
ENV = {"type": "array", "items": TEXT}
NUMBER = {"type": "integer"}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/containers/json": {
            "get": {"responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Summary"}}}}}
        },
        "/containers/create": {
            "post": {
                "parameters": [
                    {"in": "query", "name": "name"},
                    {"in": "query", "name": "vault"},
                    {"in": "header", "name": "X-Vault"},
                    {"in": "body", "name": "body", "schema": {"allOf": [{"properties": {"Env": ENV, "HostConfig": {"properties": {"Binds": ENV, "Vault": TEXT}}}}]}},
                ],
                "responses": {"201": {"schema": {"properties": {"Id": TEXT}}}, "404": {"schema": TEXT}},
            }
        },
        "/containers/{name}/logs": {"get": {"parameters": [{"in": "query", "name": "follow"}, {"in": "query", "name": "vault"}], "responses": {}}},
        "/containers/{name}/vault": {"post": {"operationId": "ContainerVault", "responses": {}}},
        "/containers/{name}/json": {
            "get": {"responses": {"200": {"schema": {"properties": {"Config": {"properties": {"Env": ENV}}, "Vaults": {"additionalProperties": {"properties": {"Envs": ENV, "Uses": NUMBER}}}, "Anything": {"additionalProperties": {}}, "More": {"type": "object"}}}}}}
        },
    },
    "definitions": {"Summary": {"properties": {"Id": TEXT, "Below": {"$ref": "#/definitions/Summary"}}}},
}  # fmt: skip


def test_what_is_new_is_named() -> None:
    """An operation, an argument in query, header and body, of an operation that is limited or not; a
    text of an answer at any depth, a number, a value that may be anything: each of which no table
    has, with its file; of all else nothing is said."""
    found = [str(one) for one in Document(DOCUMENT).news()]
    assert "tests/data/answers.tsv: ContainerList [].Below.Id" in found  # and to an end
    assert [one for one in found if "Below" not in one] == [
        "trioproxy/api/fields.py: ContainerCreate ?vault=",
        "tests/data/looked_at.tsv: ContainerCreate X-Vault:",
        "trioproxy/api/fields.py: ContainerCreate HostConfig.Vault",
        "tests/data/looked_at.tsv: ContainerLogs ?vault",
        "trioproxy/api/routes.py: POST /containers/{name}/vault (ContainerVault)",
        "tests/data/looked_at.tsv: ContainerInspect Anything.{}",
        "tests/data/looked_at.tsv: ContainerInspect More",
        "tests/data/answers.tsv: ContainerInspect Vaults.{}.Envs.[]",
        "tests/data/looked_at.tsv: ContainerInspect Vaults.{}.Uses",
    ]


def test_a_document_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is read as the Engine's repository has it, with numbers for names; the status is 1 where
    anything is new."""
    file = tmp_path / "v1.99.yaml"
    known = "swagger: '2.0'\npaths:\n  /_ping:\n    get:\n      responses:\n        200:\n          description: ok\n"
    file.write_text(known)
    assert read(file)["paths"]["/_ping"]["get"]["responses"].keys() == {"200"}
    assert main(str(file)) == 0
    file.write_text(known.replace("_ping", "_vault"))
    assert main(str(file)) == 1
    assert "GET /_vault" in capsys.readouterr().out


LIST = 'swagger: "2.0"\npaths: {/containers/json: {get: {responses: {"200": {schema: {$ref: "#/definitions/A"}}}}}}\ndefinitions: '
ODD = {
    "cut": ('{"swagger": "2.0", "paths": {', "did not find expected node content"),
    "of-openapi-3": ("openapi: 3.0.1\npaths: {/vault: {get: {}}}", "swagger: '2.0'"),
    "without-paths": ("swagger: '2.0'\npaths: {}", "it has no paths: is it cut?"),
    "no-map": ("hello", "swagger: '2.0'"),
    "circle": (f"{LIST}{{A: {{$ref: '#/definitions/A'}}}}", "goes in a circle"),
    "made-of-itself": (
        f"{LIST}{{A: {{allOf: [{{$ref: '#/definitions/A'}}]}}}}",
        "is made of itself",
    ),
    "to-nowhere": (f"{LIST}{{}}", "#/definitions/A leads nowhere"),
    "of-another-form": ("swagger: '2.0'\npaths: {/vault: [get]}", "not of the form"),
}


@pytest.mark.parametrize(("text", "told"), ODD.values(), ids=ODD)
def test_of_what_cannot_be_read_nothing_is_new(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document that is cut, of another form or made of itself is an error, and not one without
    news."""
    file = tmp_path / "v1.99.yaml"
    file.write_text(text)
    assert main(str(file)) == 2
    assert told in capsys.readouterr().err
    assert main() == 2


def test_what_stands_elsewhere_in_it_is_read() -> None:
    """Parameters by a name or of a whole path, fields of a form, and methods that the Engine has
    none of are named too."""
    document: dict[str, Any] = {
        "parameters": {"vault": {"in": "query", "name": "vault"}},
        "paths": {
            "/containers/{id}/logs": {
                "parameters": [{"in": "query", "name": "shared"}],
                "get": {
                    "parameters": [
                        {"$ref": "#/parameters/vault"},
                        {"in": "formData", "name": "form"},
                    ],
                    "responses": {},
                },
                "patch": {"operationId": "ContainerPatch", "responses": {}},
            }
        },
    }
    assert [one.what for one in Document(document).news()] == [
        "ContainerLogs ?shared",
        "ContainerLogs ?vault",
        "ContainerLogs form:",
        "PATCH /containers/{id}/logs (ContainerPatch)",
    ]
