"""A client of the MaaS surface, as its own backend is one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kickstand.kernel import clock
from tests.support.http import Answer, Http

_EVER = "2020-01-01T00:00:00Z"
_SPARE = timedelta(minutes=1)


@dataclass
class MaasClient:
    """Knows its id and secret, trades them for access tokens when it needs one, and calls the surface."""

    base: str
    client_id: str
    secret: str
    _http: Http | None = field(default=None, init=False)
    _until: datetime = field(default_factory=clock.now, init=False)

    @property
    def http(self) -> Http:
        """The surface, with a token that is valid now."""
        if self._http is None or clock.now() >= self._until:
            issued = self.token().document
            self._http = Http(self.base, {"authorization": f"Bearer {issued['access_token']}"})
            self._until = clock.now() + timedelta(seconds=issued["expires_in"]) - _SPARE
        return self._http

    def token(self) -> Answer:
        """Ask for an access token."""
        grant = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}
        return Http(self.base).call("POST", "/auth/token", form=grant)

    # ── Vehicles and dock groups ─────────────────────────────────────────────────────────────────────────────────────

    def vehicle(self, vehicle: int) -> dict[str, Any]:
        """What there is to know about a vehicle."""
        return dict(self.http.get(f"/vehicles/{vehicle}").document)

    def vehicles(self) -> dict[int, dict[str, Any]]:
        """All vehicles, by id."""
        return {each["id"]: each for each in self.http.get("/vehicles").document["data"]}

    def dock_groups(self) -> list[dict[str, Any]]:
        """All dock groups."""
        return list(self.http.get("/dockgroups").document["data"])

    def dock_group(self, dock_group: int) -> dict[str, Any]:
        """What there is to know about a dock group."""
        return dict(self.http.get(f"/dockgroups/{dock_group}").document)

    def vehicles_at(self, dock_group: int) -> dict[int, dict[str, Any]]:
        """The vehicles in a dock group, by id."""
        return {each["id"]: each for each in self.http.get(f"/dockgroups/{dock_group}/vehicles").document["data"]}

    # ── Trips ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, user: str, vehicle: int, **more: object) -> Answer:
        """Ask for a trip on a vehicle."""
        return self.http.post(f"/vehicles/{vehicle}/trips", {"userId": user, **more})

    def start_at(self, user: str, dock_group: int, category: str, **more: object) -> Answer:
        """Ask for a trip on any vehicle of a dock group."""
        return self.http.post(f"/dockgroups/{dock_group}/trips", {"userId": user, "vehicleCategory": category, **more})

    def update(self, trip: int, update: str, **more: object) -> Answer:
        """Ask a trip to pause, resume, cancel or end."""
        return self.http.call("PATCH", f"/trips/{trip}", {"update": update, **more})

    def trip(self, trip: int) -> dict[str, Any]:
        """What there is to know about a trip."""
        return dict(self.http.get(f"/trips/{trip}").document)

    def trips(self, user: str, *states: str) -> list[dict[str, Any]]:
        """The trips of a user, newest first."""
        query: dict[str, str | Sequence[str]] = {"from": _EVER, "states[]": states}
        return list(self.http.get(f"/users/{user}/trips", query=query).document["data"])

    # ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────

    def reserve(self, user: str, vehicle: int, **more: object) -> Answer:
        """Ask for a vehicle to be held."""
        return self.http.post(f"/vehicles/{vehicle}/reservations", {"userId": user, **more})

    def reservations(self, user: str) -> list[dict[str, Any]]:
        """The reservations that a user has now."""
        return list(self.http.get(f"/users/{user}/reservations").document["data"])

    def give_up(self, reservation: int) -> Answer:
        """Cancel a reservation."""
        return self.http.call("DELETE", f"/reservations/{reservation}")

    # ── Users ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def statistics(self, user: str, since: datetime, until: datetime | None = None) -> dict[str, Any]:
        """What a user's rides add up to that began at ``since`` or later, and before ``until`` where that is given."""
        query = {"from": since.isoformat()} | ({"to": until.isoformat()} if until else {})
        return dict(self.http.get(f"/users/{user}/statistics", query=query).document)

    def penalties(self, user: str) -> list[dict[str, Any]]:
        """The penalties of a user."""
        return list(self.http.get(f"/users/{user}/penalties").document["data"])
