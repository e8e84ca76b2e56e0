"""EventsAir's GraphQL API, as far as it is asked for one registration.

Takes the IDs that a webhook brings. Gives the registration, or says what became of the question: `Later`, which is
nobody's fault and passes, or `NoAnswer`, which is this question's own. An access token is asked for where there are
credentials (OAuth 2.0, client credentials), kept while it is valid, and replaced when the API refuses it.
"""

import http.client
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

QUERY = (Path(__file__).parent / "registration.graphql").read_text(encoding="utf-8")

# For one answer. Larger ones than this are not a registration.
ANSWER_WITHIN_SECONDS = 10
MAX_ANSWER_OCTETS = 4 * 1024 * 1024
# The longest wait that the API can ask for.
MAX_WAIT_SECONDS = 300.0

# The API itself can't answer now: it is away, overloaded, or wants another token, for whatever it is asked.
_LATER = {401, 403, 408, 429, 502, 503, 504}


class Later(Exception):
    """The API can't answer anything now. `after`: seconds that it wants to be left alone, if it says so."""

    def __init__(self, why: str, after: float = 0.0):
        super().__init__(why)
        self.after = after


class NoAnswer(Exception):
    """The API is there, and has no answer to this question, now or ever: a few attempts will tell."""


class Api:
    """One API, with its credentials. May be used by several threads."""

    def __init__(self, url: str, token_url: str = "", scope: str = "", client: str = "", secret: str = ""):
        self._url = url
        self._token_url = token_url
        self._form = urllib.parse.urlencode(
            {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": scope}
        ).encode()
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def registration(self, event: str, registration: str) -> dict:
        """The registration, and the name of its event."""
        question = json.dumps({"query": QUERY, "variables": {"event": event, "registration": registration}})
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self._token_url:
            headers["authorization"] = f"Bearer {self._access_token()}"
        answer = self._post(self._url, question.encode(), headers)
        if answer.get("errors"):
            raise NoAnswer(f"the API says: {str(answer['errors'])[:300]}")
        try:
            of_event = answer["data"]["event"]
            return {"event_name": of_event["name"], **of_event["registration"]}
        except (KeyError, TypeError):
            # It may not be everywhere yet: webhooks are quick.
            why = f"the API knows no registration {registration[:64]!r} of the event {event[:64]!r}"
            raise NoAnswer(why) from None

    def _access_token(self) -> str:
        with self._lock:
            if time.monotonic() >= self._good_until:
                headers = {"content-type": "application/x-www-form-urlencoded"}
                try:
                    answer = self._post(self._token_url, self._form, headers)
                except NoAnswer as why:
                    # Wrong credentials are no event's fault. The events wait until they are put right.
                    raise Later(f"no access token: {why}", 30) from None
                self._token = str(answer.get("access_token", ""))
                # A minute less, so that it does not end on its way.
                self._good_until = time.monotonic() + max(float(answer.get("expires_in", 0)) - 60, 1)
            return self._token

    def _post(self, url: str, body: bytes, headers: dict) -> dict:
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_SECONDS) as response:
                octets = response.read(MAX_ANSWER_OCTETS + 1)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(300).decode("utf-8", "replace")
            if error.code not in _LATER:
                # EventsAir answers 500 to a query that it does not take.
                raise NoAnswer(f"the API answers {error.code}: {said}") from None
            if error.code == 401:
                self._good_until = 0.0
            wait = error.headers.get("retry-after", "")
            wait = min(float(wait), MAX_WAIT_SECONDS) if wait.isdigit() else 0.0
            raise Later(f"the API answers {error.code}", wait) from None
        except (OSError, http.client.HTTPException) as error:  # not reached, cut off, too slow
            raise Later(f"the API can't be reached: {error}") from None
        try:
            answer = json.loads(octets) if len(octets) <= MAX_ANSWER_OCTETS else None
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NoAnswer("the API's answer is no JSON object")
        return answer
