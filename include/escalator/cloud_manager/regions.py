"""Refuses to guess a region: where a service has endpoints in several, one of them has to be chosen."""

from __future__ import annotations

from typing import Any

import requests
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.base import BaseIdentityPlugin

from escalator.model.errors import InvalidRequestError


class OneRegionAdapter(Adapter):
    """A keystoneauth adapter that takes no region by chance: keystoneauth takes the catalogue's first."""

    _is_judged = False

    def request(self, url: str, method: str, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Send one request; the first one looks at the catalogue, which came with the token.

        :raises InvalidRequestError: the service is in several regions, and none is chosen.
        """
        if not self._is_judged and not self.region_name and not self.endpoint_override:
            self._refuse_several_regions()
            self._is_judged = True
        return super().request(url, method, **kwargs)

    def _refuse_several_regions(self) -> None:
        auth = self.auth or self.session.auth
        if not isinstance(auth, BaseIdentityPlugin):  # one without a catalogue
            return
        catalogue = auth.get_access(self.session).service_catalog
        found = catalogue.get_endpoints_data(service_type=self.service_type, interface=self.interface)
        regions = sorted({str(one.region_name) for ones in found.values() for one in ones})
        if len(regions) > 1:
            raise InvalidRequestError(
                f"{self.service_type} is in several regions: {', '.join(regions)}; none is chosen",
                remedy="choose one: --region NAME, OS_REGION_NAME, or `region_name` of the connection",
            )
