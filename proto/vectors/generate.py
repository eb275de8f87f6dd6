#!/usr/bin/env python3
"""Writes envelope.json: one body, hash and BIP340 signature per example of every signed layout.

Independent of the TypeScript: only the standard library, with its own secp256k1 and BIP340. The file
is frozen. Run with --check to see that it is still what this program writes; rewriting it means a new
version of a layout, and with it a new tag.
"""
import hashlib
import json
import pathlib
import sys

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
OUT = pathlib.Path(__file__).with_name("envelope.json")


def sha256(data):
    return hashlib.sha256(data).digest()


def tagged(tag, data):
    t = sha256(tag.encode())
    return sha256(t + t + data)


def add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return (x, (slope * (a[0] - x) - a[1]) % P)


def multiply(k, point=G):
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


def b32(value):
    return value.to_bytes(32, "big")


def even_key(secret):
    """(scalar of the point with even y, its x)."""
    point = multiply(secret)
    return (secret if point[1] % 2 == 0 else N - secret), b32(point[0])


def sign(secret, message, aux=bytes(32)):
    d, key = even_key(secret)
    masked = bytes(x ^ y for x, y in zip(b32(d), tagged("BIP0340/aux", aux)))
    nonce = int.from_bytes(tagged("BIP0340/nonce", masked + key + message), "big") % N
    k, r = even_key(nonce)
    e = int.from_bytes(tagged("BIP0340/challenge", r + key + message), "big") % N
    return r + b32((k + e * d) % N)


# Field encoders. A field is (name, kind, value); the value is written to JSON as TypeScript has it.
def u(size):
    return lambda value: int(value).to_bytes(size, "big")


def reverse_hex(value):
    return bytes.fromhex(value)[::-1]


KINDS = {
    "u8": u(1),
    "u16": u(2),
    "u32": u(4),
    "u64": u(8),
    "hex": bytes.fromhex,
    "txid": reverse_hex,
    "hashes": lambda hashes: u(4)(len(hashes)) + b"".join(map(bytes.fromhex, hashes)),
}


def body(fields, version=True):
    head = u(2)(1) if version else b""
    return head + b"".join(KINDS[kind](value) for _, kind, value in fields)


def fill(label, size=32):
    """Bytes without structure, different for every label."""
    return hashlib.shake_256(b"farwatch vectors|" + label.encode()).hexdigest(size)


MANAGER_SECRET = int(fill("manager secret"), 16) % N
MONITOR_SECRET = int(fill("monitor secret"), 16) % N
MANAGER = even_key(MANAGER_SECRET)[1].hex()
MONITOR = even_key(MONITOR_SECRET)[1].hex()
REGTEST = reverse_hex("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206").hex()
STORE = fill("store", 16)
CHANNEL = fill("channel")
FUNDING = [("funding.txid", "txid", fill("funding")), ("funding.vout", "u16", "513")]
CHAIN = ("chainHash", "hex", REGTEST)
PAYLOAD = bytes.fromhex(fill("payload", 300))
STATE = bytes.fromhex(fill("initial state", 500))
U64_MAX = str(2**64 - 1)

VECTORS = []


def vector(layout, tag, fields, signer, names=None, version=True, **extra):
    """`names` replaces what JSON says about a field that the body writes as a number."""
    encoded = body(fields, version)
    digest = tagged(tag, encoded)
    said = {name: value for name, _, value in fields}
    said.update(names or {})
    secret = {"manager": MANAGER_SECRET, "monitor": MONITOR_SECRET, None: None}[signer]
    entry = {"layout": layout, "tag": tag, "fields": said, "body": encoded.hex(), "hash": digest.hex()}
    if secret is not None:
        entry["signer"] = signer
        entry["signature"] = sign(secret, digest).hex()
    VECTORS.append({**entry, **extra})
    return digest.hex()


def update(number, prev, set_no, payload_type, payload):
    fields = [
        CHAIN,
        ("channelId", "hex", CHANNEL),
        *FUNDING,
        ("managerKey", "hex", MANAGER),
        ("setNo", "u32", set_no),
        ("updateId", "u64", number),
        ("prevHash", "hex", prev),
        ("payloadType", "u16", {"typedSteps": 1, "ldkBytes": 2}[payload_type]),
        ("payloadLength", "u32", str(len(payload))),
        ("payloadSha256", "hex", sha256(payload).hex()),
    ]
    names = {"payloadType": payload_type}
    tag = "farwatch/update/v1"
    return vector("update", tag, fields, "manager", names, payload=payload.hex())


def manager_batch(layout, tag, epoch, hashes):
    fields = [CHAIN, ("managerKey", "hex", MANAGER), ("epoch", "u64", epoch), ("hashes", "hashes", hashes)]
    vector(layout, tag, fields, "manager")


def updates():
    state_hash = sha256(STATE).hex()
    watch = [CHAIN, ("channelId", "hex", CHANNEL), *FUNDING, ("managerKey", "hex", MANAGER)]
    watch += [("setNo", "u32", "1"), ("firstUpdateId", "u64", "1")]
    watch += [("payloadLength", "u32", str(len(STATE))), ("payloadSha256", "hex", state_hash)]
    watched = vector("initialState", "farwatch/watch/v1", watch, "manager", payload=STATE.hex())
    genesis_fields = [CHAIN, ("channelId", "hex", CHANNEL), *FUNDING]
    genesis_fields += [("initialStateSha256", "hex", state_hash)]
    prev = vector("genesis", "farwatch/genesis/v1", genesis_fields, None, version=False)
    first = update("1", prev, "1", "typedSteps", PAYLOAD)
    second = update("2", first, "4294967295", "ldkBytes", b"")
    last = update(U64_MAX, fill("prev"), "0", "ldkBytes", PAYLOAD[:1])
    manager_batch("updateBatch", "farwatch/update-batch/v1", "7", [watched])
    manager_batch("updateBatch", "farwatch/update-batch/v1", U64_MAX, [first, second, last])
    return watched, first, second


def preimages():
    hashes = []
    for label, epoch in (("a", "7"), ("b", "0")):
        preimage = fill("preimage " + label)
        fields = [CHAIN, ("channelId", "hex", CHANNEL), ("managerKey", "hex", MANAGER)]
        fields += [("epoch", "u64", epoch), ("paymentHash", "hex", sha256(bytes.fromhex(preimage)).hex())]
        fields += [("sourceKey", "hex", fill("source " + label))]
        tag = "farwatch/preimage/v1"
        hashes.append(vector("preimageRecord", tag, fields, "manager", preimage=preimage))
    manager_batch("preimageBatch", "farwatch/preimage-batch/v1", "7", hashes)


def receipts(first, second):
    hashes = []
    rows = (("1", first, "persisted", "0", "0"), ("2", second, "appliedAfterClose", U64_MAX, "499999999"))
    for number, update_hash, status, watermark, height in rows:
        fields = [CHAIN, ("monitorKey", "hex", MONITOR), ("storeId", "hex", STORE), ("storeGen", "u64", "3")]
        fields += [("channelId", "hex", CHANNEL), ("setNo", "u32", "1"), ("updateId", "u64", number)]
        fields += [("updateHash", "hex", update_hash)]
        fields += [("status", "u8", {"persisted": 1, "appliedAfterClose": 2}[status])]
        fields += [("eventWatermark", "u64", watermark), ("tip.height", "u32", height)]
        fields += [("tip.hash", "txid", fill("tip " + number))]
        tag = "farwatch/receipt/v1"
        hashes.append(vector("receipt", tag, fields, "monitor", {"status": status}))
    batch = [CHAIN, ("monitorKey", "hex", MONITOR), ("storeId", "hex", STORE), ("hashes", "hashes", hashes)]
    vector("receiptBatch", "farwatch/receipt-batch/v1", batch, "monitor")


def event_key(kind, number, subject, said):
    fields = [CHAIN, ("channelId", "hex", CHANNEL), ("kind", "u16", number), *subject]
    names = {"subject": {"kind": kind, **said}}
    return vector("eventKey", "farwatch/event-key/v1", fields, None, names, version=False)


def event_keys():
    source, payment = fill("source a"), fill("payment")
    subject = [("s0", "hex", CHANNEL), ("s1", "hex", source), ("s2", "hex", payment)]
    htlc = event_key("htlcEvent", 1, subject, {"sourceKey": source, "paymentHash": payment})
    spending, funding = fill("spending"), {"txid": FUNDING[0][2], "vout": 513}
    spend = [*FUNDING, ("spending", "txid", spending)]
    said = {"funding": funding, "spending": spending}
    closed = event_key("holderForceClosed", 2, spend, said)
    event_key("commitmentTxConfirmed", 3, spend, said)
    outpoints = [{"txid": fill("out " + str(i)), "vout": vout} for i, vout in enumerate((70000, 0, 3))]
    flat = [reverse_hex(o["txid"]) + u(4)(o["vout"]) for o in outpoints]
    tail = u(4)(len(flat)) + b"".join(sorted(flat))
    event_key("spendableOutputs", 4, [("s0", "hex", tail.hex())], {"outpoints": outpoints})
    event_key("discardFunding", 6, FUNDING, {"funding": funding})
    taken = reverse_hex(outpoints[0]["txid"]) + u(4)(outpoints[0]["vout"])
    overtaken = [("s0", "hex", taken.hex()), ("spending", "txid", spending)]
    event_key("penaltyOvertaken", 7, overtaken, {"outpoint": outpoints[0], "spending": spending})
    return htlc, closed


def events():
    htlc, closed = event_keys()
    prev, acks = "00" * 32, []
    rows = (("1", htlc, None, None, "processed"), ("2", closed, fill("cause tx"), "840000", "joined"))
    for number, key, cause, height, outcome in rows:
        fields = [CHAIN, ("monitorKey", "hex", MONITOR), ("storeId", "hex", STORE)]
        fields += [("channelId", "hex", CHANNEL), ("eventId", "u64", number), ("prevEventHash", "hex", prev)]
        fields += [("key", "hex", key), ("contentSha256", "hex", sha256(PAYLOAD).hex())]
        fields += [("causeTxid", "txid", cause or "00" * 32)]
        fields += [("causeBlock.hash", "txid", fill("cause block") if height else "00" * 32)]
        fields += [("causeBlock.height", "u32", height or "0")]
        tag = "farwatch/event/v1"
        prev = vector("event", tag, fields, "monitor", payload=PAYLOAD.hex())
        ack = [CHAIN, ("monitorKey", "hex", MONITOR), ("storeId", "hex", STORE), ("channelId", "hex", CHANNEL)]
        ack += [("epoch", "u64", "7"), ("eventId", "u64", number), ("eventHash", "hex", prev)]
        ack += [("outcome", "u16", {"processed": 1, "joined": 2}[outcome])]
        acks.append(vector("eventAck", "farwatch/event-ack/v1", ack, "manager", {"outcome": outcome}))
    manager_batch("eventAckBatch", "farwatch/event-ack-batch/v1", "7", acks)


def sessions():
    fields = [CHAIN, ("managerKey", "hex", MANAGER), ("monitorKey", "hex", MONITOR), ("storeId", "hex", STORE)]
    fields += [("epoch", "u64", "7"), ("bootNonce", "hex", fill("boot nonce"))]
    vector("session", "farwatch/open-session/v1", fields, "manager")


def main():
    _, first, second = updates()
    preimages()
    receipts(first, second)
    events()
    sessions()
    text = json.dumps(
        {
            "managerSecret": b32(MANAGER_SECRET).hex(),
            "monitorSecret": b32(MONITOR_SECRET).hex(),
            "managerKey": MANAGER,
            "monitorKey": MONITOR,
            "vectors": VECTORS,
        },
        indent=1,
    )
    if "--check" in sys.argv:
        if OUT.read_text() != text + "\n":
            sys.exit("envelope.json is not what generate.py writes")
        return
    OUT.write_text(text + "\n")


main()
