"""Attacks on a real edge, each written down as a conversation: client and origin are both scripted.

One file per class of attack, `test_<class>.py`, and its docstring says which invariant it defends.
A test reads from top to bottom as what happened on the wire:

    def test_a_private_answer_reaches_one_client(raw_origin, raw_edge, path):
        with raw_edge.client() as alice:
            alice.ask(path)                                      # the client says
            heard = raw_origin.hears()                           # the origin hears
            assert heard.raw.startswith(b"GET ")
            heard.says(reply(b"hers", cache_control="private"))  # the origin says
            assert alice.response().body == b"hers"              # the client hears

How to write one:

- `tests.harness.wire.Client` sends exactly the bytes given to `send`, and reads responses strictly.
- `tests.harness.raw_origin.RawOrigin` is driven by the test step by step, and sends exactly the
  bytes given to `says`; what it heard is there byte for byte (`Heard.raw`). Use it when the order
  of things matters, or when the answer is no HTTP. Have the edge run one worker then
  (`EDGE = {"workers": 1}`), so that it is known whose connections are pooled.
- `tests.harness.origin.Origin` answers by itself from a script (`replies`); use it for everything
  that does not depend on the order.
- Fixtures (conftest): `origin` and `edge` as in `tests/integration/edge`; `raw_origin` and
  `raw_edge`, an edge of one worker before a raw origin; `path` is a path of the test's own.
- The test must fail when the defence is taken out. Try that once.
- Wait with `eventually`, never with a sleep, except to show that nothing happens
  (`hears_nothing`). Nothing is measured in seconds of speed. Only loopback; bounded in count.
"""
