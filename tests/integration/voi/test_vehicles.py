"""Single vehicles as partners of the Voi surface see them."""

from botocore.session import Session

from kickstand.fleet import service as fleet
from kickstand.kernel import clock, store
from kickstand.rental import service as rentals
from tests.support import zones
from tests.support.api import voi
from tests.support.city import OSLO, City


def test_nobody_sees_where_a_vehicle_is_ridden_to(aws: Session) -> None:
    city = City()
    vehicle = city.vehicle()
    rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    store.begin()
    taken = fleet.vehicle(vehicle.id)
    moved = taken.model_copy(update={"position": zones.at(900, 0), "located_at": clock.now(), "revision": 99})
    with store.Transaction() as tx:
        tx.put(fleet.vehicle_item(moved, "8809993867fffff"))
    _, token = city.partner("Other")
    for api in (voi(city.token), voi(token)):
        for operation, path in (
            ("get_vehicle_by_id", {"id": str(vehicle.public_id)}),
            ("get_vehicle_by_code", {"code": vehicle.code}),
        ):
            shown = api.call(operation, path=path).json["data"][0]["attributes"]["location"]
            assert shown == {"longitude": OSLO.longitude, "latitude": OSLO.latitude}
