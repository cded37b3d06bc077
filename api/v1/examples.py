"""What the documentation shows for ids and times that several rooms speak of."""

CAMPAIGN_EXAMPLE = "camp_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
HASH_EXAMPLE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
JOB_EXAMPLE = "job_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
KEY_EXAMPLE = "key_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
NOTIFICATION_EXAMPLE = "notif_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
TEMPLATE_EXAMPLE = "tmpl_019a9f3c2b7e7d1f8a4c5b6d7e8f9a0b"
TIME_EXAMPLE = "2026-11-20T10:00:00.000000Z"
