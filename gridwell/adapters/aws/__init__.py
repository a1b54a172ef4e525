"""Adapters over boto3: SQS, S3, EC2, SNS and STS."""
