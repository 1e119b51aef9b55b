#!/opt/moto/bin/python
"""An S3 of moto, started as MinIO is: `minio server FOLDER --address :PORT`.

Its buckets are the folders in FOLDER, its objects are in memory.
"""

import sys
import threading
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

_, _, folder, _, address = sys.argv
port = int(address.removeprefix(":"))
ThreadedMotoServer("0.0.0.0", port, verbose=False).start()
keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys)
for each in Path(folder).iterdir():
    client.create_bucket(Bucket=each.name)
client.create_bucket(Bucket="minio")
# the path of the probes
client.put_object(Bucket="minio", Key="health/live", ACL="public-read")
threading.Event().wait()
