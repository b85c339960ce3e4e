#!/usr/bin/env python3
"""Writes requests signed by botocore to botocore_vectors.json; with --check, verifies that the file is up to date.

The credentials are the examples in AWS's documentation.
"""

import datetime
import hashlib
import json
import pathlib
import sys

import botocore.auth
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FILE = pathlib.Path(__file__).with_name("botocore_vectors.json")
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwt"
    "hAx7mSEI/qkPpKPi/kMcGd+=="
)
TIMES = [1369353600, 1772323199, 1798761600, 4102444799]
REGIONS = ["us-east-1", "eu-central-1", "cn-north-1", "garage"]

DIGESTS = "/sha256:" + "0123456789abcdef" * 4
KEYS = {
    "key of a payload": "/blobs/default/common" + DIGESTS * 2,
    "key of a payload, with prefix": "team a/blobs/default/custom/1234" + DIGESTS * 2,
    "colon": "a:b",
    "percent sign": "100%",
    "encoded already": "a%2Fb%20c%zz",
    "plus sign": "a+b",
    "equals sign": "a=b",
    "spaces": " a  b ",
    "UTF-8": "Grüße/日本語/🧶/e\u0301\u00e9",
    "double slashes": "a//b///c",
    "leading slash": "/a",
    "leading slashes": "//a",
    "trailing slash": "a/",
    "dot segments": "a/./b/../c",
    "only dots": "..",
    "tilde": "~a/b~",
    "star": "a*b",
    "apostrophe": "it's",
    "reserved": "!\"#$&'()*,;<>?@[\\]^`{|}",
    "unreserved": "AZaz09-._~",
    "control characters": "a\tb\nc\rd\x7f\x01",
    "query in a key": "a?b=c&d",
}
QUERIES = {
    "none": [],
    "empty value": [("lifecycle", "")],
    "list": [("list-type", "2"), ("encoding-type", "url"), ("max-keys", "1000"), ("prefix", "/blobs/default/common/")],
    "list, next page": [
        ("list-type", "2"),
        ("prefix", "team a/blobs/"),
        ("continuation-token", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=+"),
        ("start-after", "/blobs/sha256:é"),
    ],
    "delete": [("delete", "")],
    "repeated names": [("b", "2"), ("a", "2"), ("a", "1"), ("a", ""), ("b", "1")],
    "names that begin alike": [("a", "1"), ("a-b", "2"), ("ab", "3"), ("a+", "4"), ("A", "5"), ("_", "6"), ("~", "7")],
    "values that sort otherwise when encoded": [("p", "a b"), ("p", "a-b"), ("p", "a/b"), ("p", "a~b"), ("p", "aéb")],
    "UTF-8": [("prefix", "Grüße/日本語/🧶"), ("délimiter", "e\u0301")],
    "reserved": [("prefix", "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~-._"), ("x y", "=&")],
    "spaces": [("prefix", " a  b "), (" ", " ")],
}
HEADERS = {
    "none": [],
    "download": [("Range", "bytes=0-9"), ("If-Match", '"d41d8cd98f00b204e9800998ecf8427e"')],
    "upload": [
        ("If-None-Match", "*"),
        ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-east-1:111122223333:key/1234abcd"),
        ("Content-Type", "application/octet-stream"),
        ("Expect", "100-continue"),
        ("User-Agent", "lps"),
    ],
    "copy": [
        ("x-amz-copy-source", "/examplebucket//blobs/default/common/sha256%3A0123"),
        ("x-amz-metadata-directive", "REPLACE"),
    ],
    "white space": [("x-amz-meta-a", "  a   b\tc  "), ("x-amz-meta-empty", ""), ("X-Amz-Meta-Upper", "A B")],
    "repeated names": [("x-amz-meta-b", "2"), ("x-amz-meta-a", "x"), ("X-AMZ-Meta-B", "1")],
}

def rotate(values, index):
    return values[index % len(values)]


def at(time):
    moment = datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda: moment


def signed_headers():
    """Signs requests with every key, every query and every set of headers, each varied on its own."""
    cases = [("GET", key, "none", "none") for key in KEYS]
    cases += [("GET", None, query, "none") for query in QUERIES]
    cases += [("PUT", "key of a payload", "none", headers) for headers in HEADERS]
    cases += [("POST", None, "delete", "upload"), ("HEAD", "UTF-8", "UTF-8", "download")]
    for index, (method, key, query, headers) in enumerate(cases):
        for token in (None, TOKEN):
            region, time = rotate(REGIONS, index), rotate(TIMES, index // 2)
            path = "/examplebucket"
            if key:
                path += "/" + botocore.auth.quote(KEYS[key].encode(), safe="/~")
            body = b"Welcome to Amazon S3." if method in ("PUT", "POST") else b""
            at(time)
            request = AWSRequest(
                method=method, url="http://127.0.0.1:8333" + path, params=QUERIES[query], data=body
            )
            request.headers["Host"] = "127.0.0.1:8333"
            for name, value in HEADERS[headers]:
                request.headers.add_header(name, value)
            S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, token), "s3", region).add_auth(request)
            yield {
                "name": f"{method}, key: {key}, query: {query}, headers: {headers}" + (", with token" if token else ""),
                "method": method,
                "key": KEYS.get(key),
                "query": QUERIES[query],
                "headers": HEADERS[headers],
                "region": region,
                "time": time,
                "token": token,
                "payload_hash": hashlib.sha256(body).hexdigest(),
                "path": path,
                "authorization": request.headers["Authorization"],
            }


def main():
    text = json.dumps(list(signed_headers()), indent=1) + "\n"
    if sys.argv[1:] != ["--check"]:
        FILE.write_text(text)
    elif FILE.read_text() != text:
        sys.exit(f"{FILE.name} differs from what botocore {botocore.__version__} signs: run {pathlib.Path(__file__).name}")


main()
