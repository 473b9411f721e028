from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from germane.bundle import load, save
from germane.cli.running import _run
from germane.data import LeaveLastOut
from germane.errors import RunError
from germane.jobs.train import fit
from germane.models import Popular
from germane.recommender import Recommender
from germane.signing import check_signing_key, sign, verify
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions

Form, Private, Public = serialization.Encoding, serialization.PrivateFormat, serialization.PublicFormat
NONE = serialization.NoEncryption()


def keys(folder: Path, name: str = "key", ssh: bool = True) -> tuple[Path, Path]:
    """Private and public, as ssh-keygen or as openssl writes them."""
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = folder / name, folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Form.PEM, Private.OpenSSH if ssh else Private.PKCS8, NONE))
    forms = (Form.OpenSSH, Public.OpenSSH) if ssh else (Form.PEM, Public.SubjectPublicKeyInfo)
    public.write_bytes(key.public_key().public_bytes(*forms))
    return private, public


@pytest.fixture(scope="module")
def shop() -> Recommender:
    recommender, dataset = Recommender(Popular()), small_shop()
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions())
    recommender.remember(dataset)
    return recommender


@pytest.mark.parametrize("ssh", [True, False])
def test_what_was_signed_is_known_and_nothing_else(tmp_path: Path, ssh: bool) -> None:
    private, public = keys(tmp_path, ssh=ssh)
    _, other = keys(tmp_path, "other", ssh=ssh)
    signature = sign(b"a run", private)
    assert verify(b"a run", signature, public)
    assert not verify(b"a ruin", signature, public)
    assert not verify(b"a run", signature, other)
    assert not verify(b"a run", "not base64 at all!", public)
    assert not verify(b"a run", "", public)


def test_a_signed_run_is_loaded_and_a_changed_one_is_not(shop: Recommender, tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    run = save(shop, tmp_path / "run", sign=private)
    assert load(run, trust=public).version == shop.version == load(run).version
    with pytest.raises(RunError, match="was not signed by the key of"):
        load(run, trust=keys(tmp_path, "other")[1])
    about = json.loads((run / "about.json").read_text())
    (run / "policy.json").write_text("{}")
    with pytest.raises(RunError, match=r"policy.json is not the file that was written"):
        load(run, trust=public)
    about["seed"] = 7
    (run / "about.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="or was changed since"):
        load(run, trust=public)


def test_an_unsigned_run_is_not_trusted(shop: Recommender, tmp_path: Path) -> None:
    run = save(shop, tmp_path / "run")
    with pytest.raises(RunError, match=r"is not signed: there is no about.sig"):
        load(run, trust=keys(tmp_path)[1])


def test_commands_sign_and_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private, public = keys(tmp_path)
    (tmp_path / "events.csv").write_text("user,item\n" + "".join(f"u{n % 9},i{n % 7}\n" for n in range(60)))
    (tmp_path / "shop.toml").write_text('[data]\nevents = "events.csv"\n[data.columns]\nuser = "user"\nitem = "item"\n[model]\nuse = "Popular"\n')
    run, pairs = str(tmp_path / "run"), str(tmp_path / "events.csv")
    train = ["train", str(tmp_path / "shop.toml"), "-o", run, "--quiet"]
    assert _run([*train, "--sign", str(public)]) == 2
    assert "holds no private Ed25519 key" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert _run([*train, "--sign", str(private)]) == 0
    commands = [
        ["describe", run],
        ["recommend", run, "--user", "u1"],
        ["score", run, "--pairs", pairs, "-o", str(tmp_path / "s.csv")],
        ["evaluate", run, "--split", "validation"],
    ]
    for command in (*commands, commands[0]):  # judged anew, it is still signed
        assert _run([*command, "--trust", str(public)]) == 0
    stranger = keys(tmp_path, "stranger")[1]
    capsys.readouterr()
    for command in (*commands, ["serve", run, "--port", "0"]):
        assert _run([*command, "--trust", str(stranger)]) == 2
        assert "was not signed by the key of" in capsys.readouterr().err


def test_keys_that_cannot_be_used_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        check_signing_key(tmp_path / "nothing")
    weak = rsa.generate_private_key(65537, 2048)
    (tmp_path / "rsa").write_bytes(weak.private_bytes(Form.PEM, Private.PKCS8, NONE))
    (tmp_path / "noise").write_text("abc")
    for name in ("rsa", "noise"):
        with pytest.raises(RunError, match="holds no private Ed25519 key"):
            check_signing_key(tmp_path / name)
    locked = ed25519.Ed25519PrivateKey.generate().private_bytes(Form.PEM, Private.PKCS8, serialization.BestAvailableEncryption(b"word"))
    (tmp_path / "locked").write_bytes(locked)
    with pytest.raises(RunError, match="has a passphrase"):
        check_signing_key(tmp_path / "locked")
    private, _ = keys(tmp_path)
    with pytest.raises(RunError, match="holds no public Ed25519 key"):
        verify(b"", "", private)
