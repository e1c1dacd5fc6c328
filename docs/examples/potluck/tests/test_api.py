from erlen.testing import FlaskClient


def test_read_and_bring(ada: FlaskClient) -> None:
    ada.post("/events/new", data={"title": "Dinner", "day": "2030-05-17"})
    response = ada.post("/api/events/1/dishes", json={"name": "Soup"})
    assert response.status_code == 201
    assert ada.get(response.location).json == {
        "id": 1,
        "title": "Dinner",
        "day": "2030-05-17",
        "host": "Ada",
        "dishes": [{"name": "Soup", "cook": "Ada"}],
    }


def test_errors_are_json(client: FlaskClient) -> None:
    response = client.get("/api/nothing")
    assert response.status_code == 404
    assert response.json is not None
    assert response.json["error"] == "Not Found"


def test_bad_dish(ada: FlaskClient) -> None:
    ada.post("/events/new", data={"title": "Dinner", "day": "2030-05-17"})
    assert ada.post("/api/events/1/dishes", json=["Soup"]).status_code == 422
    assert ada.post("/api/events/1/dishes", data="Soup").status_code == 415
