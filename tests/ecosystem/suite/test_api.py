"""JSON APIs, each in the style of one extension.

flask-smorest with Flask-JWT-Extended, flask-marshmallow and Flask-SQLAlchemy; Flask-RESTful;
Flask-RESTX; APIFlask; flask-openapi3; Flask-Pydantic; Flask-Classful, with Flask-HTTPAuth.
"""

from __future__ import annotations

import io
import typing as t

import pytest
from apiflask import APIBlueprint, APIFlask, Schema
from apiflask import HTTPTokenAuth as APITokenAuth
from apiflask.fields import Integer, String
from apiflask.validators import Length, OneOf
from flask import Blueprint, Flask, jsonify, request
from flask.testing import FlaskClient
from flask.views import MethodView
from flask_classful import FlaskView, route
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)
from flask_marshmallow import Marshmallow
from flask_openapi3 import APIBlueprint as OpenAPIBlueprint
from flask_openapi3 import Info, OpenAPI, Tag
from flask_pydantic import validate
from flask_restful import Api as RestfulApi
from flask_restful import Resource, fields, marshal_with, reqparse
from flask_restx import Api as RestxApi
from flask_restx import Namespace
from flask_restx import Resource as RestxResource
from flask_restx import fields as restx_fields
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as SmorestBlueprint
from flask_smorest import abort as smorest_abort
from flask_sqlalchemy import SQLAlchemy
from pydantic import BaseModel, Field
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.datastructures import FileStorage
from werkzeug.security import check_password_hash, generate_password_hash

# -- flask-smorest -------------------------------------------------------------------------------


def create_smorest_app() -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        TESTING=True,
        JWT_SECRET_KEY="a key for tests, long enough for SHA-256",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        API_TITLE="Pets",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.2",
        OPENAPI_URL_PREFIX="/docs",
        OPENAPI_SWAGGER_UI_PATH="/ui",
        OPENAPI_SWAGGER_UI_URL="/static/",
    )
    db = SQLAlchemy(app)
    ma = Marshmallow(app)
    jwt = JWTManager(app)
    revoked: set[str] = set()

    class Pet(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class PetSchema(ma.SQLAlchemySchema):
        class Meta:
            model = Pet

        id = ma.auto_field(dump_only=True)
        name = ma.auto_field(required=True)
        link = ma.URLFor("pets.PetById", values={"pet_id": "<id>"}, dump_only=True)

    blueprint = SmorestBlueprint("pets", __name__, url_prefix="/pets", description="Pets")

    @blueprint.route("/")
    class Pets(MethodView):
        @blueprint.response(200, PetSchema(many=True))
        @blueprint.paginate()
        def get(self, pagination_parameters: t.Any) -> t.Any:
            pagination_parameters.item_count = db.session.query(Pet).count()
            query = db.select(Pet).offset(pagination_parameters.first_item)
            return db.session.scalars(query.limit(pagination_parameters.page_size)).all()

        @jwt_required()
        @blueprint.arguments(PetSchema)
        @blueprint.response(201, PetSchema)
        def post(self, data: dict[str, t.Any]) -> Pet:
            pet = Pet(**data)
            db.session.add(pet)
            db.session.commit()
            return pet

    @blueprint.route("/<int:pet_id>")
    class PetById(MethodView):
        @blueprint.etag
        @blueprint.response(200, PetSchema)
        def get(self, pet_id: int) -> Pet:
            pet = db.session.get(Pet, pet_id)
            if pet is None:
                smorest_abort(404, message="No such pet.")
            return t.cast(Pet, pet)

    @app.post("/token")
    def token() -> dict[str, str]:
        return {
            "access": create_access_token("ada", additional_claims={"role": "admin"}, fresh=True),
            "refresh": create_refresh_token("ada"),
        }

    @app.post("/refresh")
    @jwt_required(refresh=True)
    def refresh() -> dict[str, str]:
        return {"access": create_access_token(get_jwt_identity(), fresh=False)}

    @app.get("/me")
    @jwt_required()
    def me() -> dict[str, t.Any]:
        return {"name": get_jwt_identity(), "role": get_jwt().get("role")}

    @app.get("/fresh")
    @jwt_required(fresh=True)
    def only_fresh() -> str:
        return "fresh"

    @app.delete("/token")
    @jwt_required()
    def revoke() -> tuple[str, int]:
        revoked.add(get_jwt()["jti"])
        return "", 204

    @jwt.token_in_blocklist_loader
    def is_revoked(header: dict[str, t.Any], payload: dict[str, t.Any]) -> bool:
        return payload["jti"] in revoked

    SmorestApi(app).register_blueprint(blueprint)
    with app.app_context():
        db.create_all()
    return app


@pytest.fixture
def pets() -> FlaskClient:
    return create_smorest_app().test_client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_smorest_create_and_page(pets: FlaskClient) -> None:
    """Rows are created with a token, validated, listed in pages with a header that says so."""
    assert pets.post("/pets/", json={"name": "Rex"}).status_code == 401
    access = pets.post("/token").get_json()["access"]
    for name in ("Rex", "Tom", "Kit"):
        answer = pets.post("/pets/", json={"name": name}, headers=bearer(access))
        assert answer.status_code == 201
    assert answer.get_json() == {"id": 3, "name": "Kit", "link": "/pets/3"}
    page = pets.get("/pets/?page=2&page_size=2")
    assert [pet["name"] for pet in page.get_json()] == ["Kit"]
    assert '"total_pages": 2' in page.headers["X-Pagination"]
    wrong = pets.post("/pets/", json={"nam": "Rex"}, headers=bearer(access))
    assert wrong.status_code == 422
    assert wrong.get_json()["errors"]["json"]["name"] == ["Missing data for required field."]


def test_smorest_etag_and_errors(pets: FlaskClient) -> None:
    """An unchanged row is 304; a missing one is JSON with the given message."""
    access = pets.post("/token").get_json()["access"]
    pets.post("/pets/", json={"name": "Rex"}, headers=bearer(access))
    first = pets.get("/pets/1")
    again = pets.get("/pets/1", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    missing = pets.get("/pets/9")
    assert (missing.status_code, missing.get_json()["message"]) == (404, "No such pet.")


def test_smorest_openapi(pets: FlaskClient) -> None:
    """The document has every path with its parameters, and the page that shows it is there."""
    document = pets.get("/docs/openapi.json").get_json()
    assert set(document["paths"]) == {"/pets/", "/pets/{pet_id}"}
    assert document["paths"]["/pets/{pet_id}"]["parameters"][0]["schema"]["type"] == "integer"
    assert "PetSchema" in document["components"]["schemas"] or "Pet" in str(document["components"])
    assert "swagger" in pets.get("/docs/ui").text.lower()


def test_jwt_refresh_and_revoke(pets: FlaskClient) -> None:
    """Tokens carry claims, are refreshed, told apart by freshness, and revoked."""
    tokens = pets.post("/token").get_json()
    mine = pets.get("/me", headers=bearer(tokens["access"])).get_json()
    assert mine == {"name": "ada", "role": "admin"}
    assert pets.get("/me", headers=bearer(tokens["refresh"])).status_code == 422
    assert pets.get("/me", headers=bearer("nonsense")).status_code == 422
    newer = pets.post("/refresh", headers=bearer(tokens["refresh"])).get_json()["access"]
    assert pets.get("/me", headers=bearer(newer)).status_code == 200
    assert pets.get("/fresh", headers=bearer(newer)).status_code == 401
    assert pets.get("/fresh", headers=bearer(tokens["access"])).text == "fresh"
    assert pets.delete("/token", headers=bearer(newer)).status_code == 204
    assert pets.get("/me", headers=bearer(newer)).get_json() == {"msg": "Token has been revoked"}


# -- Flask-RESTful -------------------------------------------------------------------------------


@pytest.fixture
def restful() -> FlaskClient:
    app = Flask(__name__)
    blueprint = Blueprint("v1", __name__, url_prefix="/v1")
    # Flask-RESTful takes over handle_exception, handle_user_exception and make_response.
    api = RestfulApi(blueprint)
    todos: dict[int, dict[str, t.Any]] = {1: {"task": "write", "secret": "x"}}
    parser = reqparse.RequestParser()
    parser.add_argument("task", required=True, help="say what to do")
    parser.add_argument("rank", type=int, default=0)
    shape = {"task": fields.String, "uri": fields.Url("v1.todo"), "todo_id": fields.Integer}

    class Todo(Resource):
        @marshal_with(shape)
        def get(self, todo_id: int) -> dict[str, t.Any]:
            return {**todos[todo_id], "todo_id": todo_id}

        def put(self, todo_id: int) -> tuple[dict[str, t.Any], int, dict[str, str]]:
            todos[todo_id] = parser.parse_args()
            return todos[todo_id], 201, {"X-Kind": "todo"}

    class Broken(Resource):
        def get(self) -> t.NoReturn:
            raise ValueError("broken")

    api.add_resource(Todo, "/todos/<int:todo_id>", endpoint="todo")
    api.add_resource(Broken, "/broken")
    app.register_blueprint(blueprint)

    @app.get("/page")
    def page() -> str:
        return "plain"

    @app.errorhandler(404)
    def not_found(error: Exception) -> tuple[str, int]:
        return "own page", 404

    return app.test_client()


def test_restful_resources(restful: FlaskClient) -> None:
    """Values are marshalled, arguments parsed, tuples become status and headers."""
    expected = {"task": "write", "uri": "/v1/todos/1", "todo_id": 1}
    assert restful.get("/v1/todos/1").get_json() == expected
    answer = restful.put("/v1/todos/2", json={"task": "read", "rank": "3"})
    assert (answer.status_code, answer.headers["X-Kind"]) == (201, "todo")
    assert answer.get_json() == {"task": "read", "rank": 3}
    wrong = restful.put("/v1/todos/2", json={})
    assert wrong.status_code == 400
    assert wrong.get_json()["message"] == {"task": "say what to do"}


def test_restful_errors(restful: FlaskClient) -> None:
    """Errors inside the API are JSON, those outside are the application's own."""
    answer = restful.delete("/v1/todos/1")
    assert answer.status_code == 405 and "message" in answer.get_json()
    assert restful.get("/v1/broken").status_code == 500
    assert "message" in restful.get("/v1/broken").get_json()
    assert restful.get("/elsewhere").text == "own page"
    assert restful.get("/page").text == "plain"


# -- Flask-RESTX ---------------------------------------------------------------------------------


@pytest.fixture
def restx() -> FlaskClient:
    app = Flask(__name__)
    api = RestxApi(app, version="1.0", title="Todos", doc="/doc/")
    space = Namespace("todos", description="What to do")
    model = space.model(
        "Todo",
        {"task": restx_fields.String(required=True, min_length=2), "id": restx_fields.Integer},
    )
    upload = space.parser()
    upload.add_argument("file", location="files", type=FileStorage, required=True)
    todos: list[dict[str, t.Any]] = []

    @space.route("/")
    class Todos(RestxResource):
        @space.marshal_list_with(model)
        def get(self) -> list[dict[str, t.Any]]:
            return todos

        @space.expect(model, validate=True)
        @space.marshal_with(model, code=201)
        def post(self) -> tuple[dict[str, t.Any], int]:
            todos.append({**space.payload, "id": len(todos) + 1})
            return todos[-1], 201

    @space.route("/upload")
    class Upload(RestxResource):
        @space.expect(upload)
        def post(self) -> dict[str, t.Any]:
            file = upload.parse_args()["file"]
            return {"name": file.filename, "size": len(file.read())}

    @space.route("/broken")
    class Broken(RestxResource):
        def get(self) -> t.NoReturn:
            raise KeyError("lost")

    @space.errorhandler(KeyError)
    def lost(error: KeyError) -> tuple[dict[str, str], int]:
        return {"message": "it is lost"}, 410

    api.add_namespace(space)
    return app.test_client()


def test_restx_validation(restx: FlaskClient) -> None:
    """A payload is checked against the model, and marshalled by it."""
    answer = restx.post("/todos/", json={"task": "write", "extra": 1})
    assert (answer.status_code, answer.get_json()) == (201, {"task": "write", "id": 1})
    wrong = restx.post("/todos/", json={"task": "x"})
    assert wrong.status_code == 400 and "task" in wrong.get_json()["errors"]
    assert restx.get("/todos/").get_json() == [{"task": "write", "id": 1}]


def test_restx_upload_and_errors(restx: FlaskClient) -> None:
    """Files are parsed, and the namespace's error handler answers."""
    data = {"file": (io.BytesIO(b"12345"), "a.txt")}
    assert restx.post("/todos/upload", data=data).get_json() == {"name": "a.txt", "size": 5}
    answer = restx.get("/todos/broken")
    assert (answer.status_code, answer.get_json()["message"]) == (410, "it is lost")
    assert restx.get("/todos/nothing").status_code == 404


def test_restx_document(restx: FlaskClient) -> None:
    """The Swagger document, its page and the page's static files are served."""
    document = restx.get("/swagger.json").get_json()
    assert "/todos/" in document["paths"] and "Todo" in document["definitions"]
    page = restx.get("/doc/").text
    assert "swaggerui" in page
    assert restx.get("/swaggerui/swagger-ui.css").status_code == 200


# -- APIFlask, a subclass of Flask ---------------------------------------------------------------


class PetIn(Schema):
    name = String(required=True, validate=Length(1, 10))
    kind = String(load_default="dog", validate=OneOf(["dog", "cat"]))


class PetOut(Schema):
    id = Integer()
    name = String()
    kind = String()


@pytest.fixture
def apiflask() -> FlaskClient:
    app = APIFlask(__name__, title="Pets", version="2.0")
    auth = APITokenAuth(scheme="Bearer")
    blueprint = APIBlueprint("pets", __name__, url_prefix="/pets", tag="Pets")

    @auth.verify_token
    def verify(token: str) -> str | None:
        return "ada" if token == "good" else None

    @blueprint.get("/<int:pet_id>")
    @blueprint.output(PetOut)
    def get_pet(pet_id: int) -> dict[str, t.Any]:
        """Get a pet."""
        return {"id": pet_id, "name": "Rex", "kind": "dog", "hidden": True}

    @blueprint.post("/")
    @blueprint.auth_required(auth)
    @blueprint.input(PetIn)
    @blueprint.output(PetOut, status_code=201)
    def create_pet(json_data: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"id": 1, **json_data}

    app.register_blueprint(blueprint)
    return t.cast(FlaskClient, app.test_client())


def test_apiflask(apiflask: FlaskClient) -> None:
    """Input, output, authentication and JSON errors."""
    answer = apiflask.get("/pets/3")
    assert answer.get_json() == {"id": 3, "name": "Rex", "kind": "dog"}
    assert apiflask.post("/pets/", json={"name": "Tom"}).status_code == 401
    made = apiflask.post("/pets/", json={"name": "Tom", "kind": "cat"}, headers=bearer("good"))
    assert (made.status_code, made.get_json()["kind"]) == (201, "cat")
    wrong = apiflask.post("/pets/", json={"kind": "cow"}, headers=bearer("good"))
    assert wrong.status_code == 422
    assert set(wrong.get_json()["detail"]["json"]) == {"name", "kind"}
    assert apiflask.get("/nothing").get_json() == {"detail": {}, "message": "Not Found"}


def test_apiflask_document(apiflask: FlaskClient) -> None:
    """The OpenAPI document and its page."""
    document = apiflask.get("/openapi.json").get_json()
    assert document["info"] == {"title": "Pets", "version": "2.0"}
    assert document["paths"]["/pets/{pet_id}"]["get"]["summary"] == "Get a pet."
    assert apiflask.get("/docs").status_code == 200


# -- flask-openapi3, another subclass ------------------------------------------------------------


class BookPath(BaseModel):
    book_id: int = Field(ge=1)


class BookQuery(BaseModel):
    page: int = 1
    author: str | None = None


class BookBody(BaseModel):
    title: str = Field(min_length=2)


@pytest.fixture
def openapi3() -> FlaskClient:
    app = OpenAPI(__name__, info=Info(title="Books", version="1.0"))
    blueprint = OpenAPIBlueprint("books", __name__, url_prefix="/books")
    tag = Tag(name="books", description="Books")

    @app.get("/books", tags=[tag])
    def list_books(query: BookQuery) -> dict[str, t.Any]:
        return {"page": query.page, "author": query.author}

    @blueprint.put("/<int:book_id>", tags=[tag])
    def put_book(path: BookPath, body: BookBody) -> dict[str, t.Any]:
        return {"id": path.book_id, "title": body.title}

    app.register_api(blueprint)
    return t.cast(FlaskClient, app.test_client())


def test_openapi3(openapi3: FlaskClient) -> None:
    """Pydantic models of path, query and body, and the document made of them."""
    assert openapi3.get("/books?page=2").get_json() == {"page": 2, "author": None}
    answer = openapi3.put("/books/5", json={"title": "Emma"})
    assert answer.get_json() == {"id": 5, "title": "Emma"}
    assert openapi3.put("/books/5", json={"title": "E"}).status_code == 422
    document = openapi3.get("/openapi/openapi.json").get_json()
    assert set(document["paths"]) == {"/books", "/books/{book_id}"}


# -- Flask-Pydantic ------------------------------------------------------------------------------


def test_pydantic() -> None:
    """The body and the query are validated by models, the answer is one."""
    app = Flask(__name__)

    @app.post("/books")
    @validate(body=BookBody, query=BookQuery)
    def create() -> BookBody:
        body, query = request.body_params, request.query_params
        return BookBody(title=f"{body.title} {query.page}")

    http = app.test_client()
    answer = http.post("/books?page=4", json={"title": "Emma"})
    assert answer.get_json() == {"title": "Emma 4"}
    wrong = http.post("/books", json={"title": "E"})
    assert wrong.status_code == 400
    assert wrong.get_json()["validation_error"]["body_params"][0]["loc"] == ["title"]


# -- Flask-Classful and Flask-HTTPAuth -----------------------------------------------------------


class QuotesView(FlaskView):
    route_base = "/quotes"

    def before_request(self, name: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if kwargs.get("id") == "0":
            return "nothing", 404
        return None

    def index(self) -> str:
        return "all quotes"

    def get(self, id: str) -> str:
        return f"quote {id}"

    @route("/of/<author>", methods=["GET", "POST"])
    def of(self, author: str) -> str:
        return f"by {author}"


def test_classful() -> None:
    """Methods of a class become rules."""
    app = Flask(__name__)
    QuotesView.register(app)
    http = app.test_client()
    assert http.get("/quotes/").text == "all quotes"
    assert http.get("/quotes/7/").text == "quote 7"
    assert http.get("/quotes/0/").status_code == 404
    assert http.post("/quotes/of/woolf").text == "by woolf"


@pytest.fixture
def httpauth() -> FlaskClient:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "a key for tests"
    basic, token, digest = HTTPBasicAuth(), HTTPTokenAuth("Bearer"), HTTPDigestAuth()
    both = MultiAuth(basic, token)
    users = {"ada": generate_password_hash("secret", method="pbkdf2:sha256:1")}

    @basic.verify_password
    def verify_password(name: str, password: str) -> str | None:
        return name if name in users and check_password_hash(users[name], password) else None

    @basic.get_user_roles
    def get_roles(name: str) -> str:
        return "admin" if name == "ada" else ""

    @token.verify_token
    def verify_token(value: str) -> str | None:
        return "bot" if value == "good" else None

    @digest.get_password
    def get_password(name: str) -> str | None:
        return "secret" if name == "ada" else None

    @app.get("/basic")
    @basic.login_required(role="admin")
    def with_basic() -> t.Any:
        return jsonify(basic.current_user())

    @app.get("/both")
    @both.login_required
    def with_both() -> t.Any:
        return jsonify(both.current_user())

    @app.get("/digest")
    @digest.login_required
    def with_digest() -> str:
        return "digest"

    return app.test_client()


def test_httpauth(httpauth: FlaskClient) -> None:
    """Basic and token authentication, alone and together."""
    refused = httpauth.get("/basic")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert httpauth.get("/basic", auth=("ada", "secret")).get_json() == "ada"
    assert httpauth.get("/basic", auth=("ada", "wrong")).status_code == 401
    assert httpauth.get("/both", auth=("ada", "secret")).get_json() == "ada"
    assert httpauth.get("/both", headers=bearer("good")).get_json() == "bot"
    assert httpauth.get("/both", headers=bearer("bad")).status_code == 401
    challenge = httpauth.get("/digest").headers["WWW-Authenticate"]
    assert challenge.startswith("Digest ") and "nonce=" in challenge
