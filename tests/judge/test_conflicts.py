"""Errors of the Engine: what they tell of others, and are without."""

from trioproxy.judge.conflicts import told, without

ID = "a1" * 32
OTHER = "b2" * 32
TAKEN = f'{{"message":"Conflict. The container name \\"/web\\" is already in use by container \\"{ID}\\". You have to remove (or rename) that container to be able to reuse that name."}}\n'.encode()
IN_USE = f'{{"message":"remove data: volume is in use - [{ID}, {OTHER}]"}}\n'.encode()
OVERLAP = f'{{"message":"cannot create network {ID} (br-a1a1a1a1a1a1): conflicts with network {OTHER} (br-b2b2b2b2b2b2): networks have overlapping IPv4"}}\n'.encode()
ACTIVE = b'{"message":"error while removing network: network n has active endpoints (name:\\"db\\" id:\\"0123456789ab\\", name:\\"web\\" id:\\"ba9876543210\\")"}\n'
IMAGE = f'{{"message":"conflict: unable to remove repository reference \\"x\\" (must force) - container 0123456789ab is using its referenced image ba9876543210, sha256:{ID}"}}\n'.encode()


def test_a_name_that_is_taken() -> None:
    """That it is taken stays, by whom goes."""
    assert told(TAKEN, b"/containers/create") == [ID]
    assert without(TAKEN, [ID]) == TAKEN.replace(ID.encode(), b"(not listed)")
    assert without(TAKEN, []) == TAKEN


def test_what_the_client_named_is_its_own_word() -> None:
    """What stands in the request is no news to the client."""
    assert told(IN_USE, f"/containers/{ID}/x".encode()) == [OTHER]
    assert told(b'{"message":"No such image: 0123456789ab"}', b"/images/0123456789ab/json") == []  # fmt: skip


def test_many_ids() -> None:
    """Each is told apart; where one goes the other stays."""
    assert told(IN_USE, b"") == [ID, OTHER]
    assert without(IN_USE, [OTHER]) == IN_USE.replace(OTHER.encode(), b"(not listed)")
    assert told(OVERLAP, b"") == [ID, "a1" * 6, OTHER, "b2" * 6]


def test_who_is_on_a_network() -> None:
    """A name with its id goes whole, and the id with a name that stays."""
    assert told(ACTIVE, b"")[:2] == ["db", "web"]
    found = without(ACTIVE, ["db"])
    assert b"(not listed), name:" in found
    assert b"db" not in found
    assert b"0123456789ab" not in found
    assert b"ba9876543210" in found


def test_images_are_nobodys() -> None:
    """The id of an image stays: no list holds one."""
    assert told(IMAGE, b"") == ["0123456789ab"]
