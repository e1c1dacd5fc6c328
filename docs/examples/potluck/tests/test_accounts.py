import pytest
from erlen.login import current_user
from erlen.testing import FlaskClient


def test_register_then_login(client: FlaskClient) -> None:
    form = {"name": "Ada", "password": "difference engine"}
    response = client.post("/accounts/register", data=form)
    assert response.location == "/accounts/login"

    with client:
        response = client.post("/accounts/login", data=form, follow_redirects=True)
        assert current_user.name == "Ada"
    assert "Ada" in response.text


@pytest.mark.parametrize(
    ("name", "password", "message"),
    [
        ("", "difference engine", "A name has 1 to 40 characters."),
        ("Bob", "short", "Use at least 8 characters."),
        ("Ada", "another password", "Somebody else is called Ada."),
    ],
)
def test_register_explains(ada: FlaskClient, name: str, password: str, message: str) -> None:
    response = ada.post("/accounts/register", data={"name": name, "password": password})
    assert response.status_code == 422
    assert message in response.text


def test_login_refuses_wrong_password(ada: FlaskClient) -> None:
    form = {"name": "Ada", "password": "analytical engine"}
    response = ada.post("/accounts/login", data=form)
    assert response.status_code == 422
    assert "do not match" in response.text


def test_logout(ada: FlaskClient) -> None:
    response = ada.post("/accounts/logout", follow_redirects=True)
    assert "Log in" in response.text


def test_login_goes_on(ada: FlaskClient) -> None:
    ada.post("/accounts/logout")
    page = ada.get("/events/new").location
    form = {"name": "Ada", "password": "difference engine"}
    assert ada.post(page, data=form).location == "/events/new"
    elsewhere = "/accounts/login?next=https://evil.example/"
    assert ada.post(elsewhere, data=form).location == "/"
