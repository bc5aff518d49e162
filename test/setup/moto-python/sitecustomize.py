"""Read by Python as moto_server starts. moto 5 hashes what KMS Sign is given even where MessageType says that it is a digest
already (its models.py: "not yet implemented"); KMS does not."""

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives import hashes
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey
from threading import local

asked = local()
sign_response = KmsResponse.sign
sign_message = ECDSAPrivateKey.sign


def sign_as_asked(self):
    asked.digest = self._get_param("MessageType") == "DIGEST"
    try:
        return sign_response(self)
    finally:
        asked.digest = False


def sign_digest(self, message, signing_algorithm):
    if not getattr(asked, "digest", False) or signing_algorithm != "ECDSA_SHA_256":
        return sign_message(self, message, signing_algorithm)
    return self.private_key.sign(message, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


KmsResponse.sign = sign_as_asked
ECDSAPrivateKey.sign = sign_digest
