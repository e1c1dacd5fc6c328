from erlen.testing import FlaskClient


def plan_dinner(client: FlaskClient) -> None:
    client.post("/events/new", data={"title": "Dinner", "day": "2030-05-17"})


def test_visitors_cannot_plan(client: FlaskClient) -> None:
    response = client.get("/events/new")
    assert response.location == "/accounts/login?next=%2Fevents%2Fnew"


def test_plan_an_event(ada: FlaskClient) -> None:
    plan_dinner(ada)
    assert "Dinner" in ada.get("/").text
    assert "No dishes yet." in ada.get("/events/1").text


def test_bad_day(ada: FlaskClient) -> None:
    response = ada.post("/events/new", data={"title": "Dinner", "day": "soon"})
    assert response.status_code == 422
    assert "Not a valid date value." in response.text
    assert 'value="Dinner"' in response.text


def test_bring_and_take_back(ada: FlaskClient) -> None:
    plan_dinner(ada)
    response = ada.post("/events/1/dishes", data={"name": "Soup"}, follow_redirects=True)
    assert "Soup, from Ada" in response.text
    response = ada.post("/dishes/1/remove", follow_redirects=True)
    assert "No dishes yet." in response.text


def test_dishes_belong_to_their_cooks(ada: FlaskClient) -> None:
    plan_dinner(ada)
    ada.post("/events/1/dishes", data={"name": "Soup"})

    bob = ada.application.test_client()
    form = {"name": "Bob", "password": "building bricks"}
    bob.post("/accounts/register", data=form)
    bob.post("/accounts/login", data=form)
    assert bob.post("/dishes/1/remove").status_code == 403


def test_missing_event(client: FlaskClient) -> None:
    assert client.get("/events/1").status_code == 404
    assert client.get("/events/99999999999999999999").status_code == 404
