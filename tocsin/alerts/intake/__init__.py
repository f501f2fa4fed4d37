"""The hot path: from a request's bytes to rows on disk, with no Django middleware and no ORM."""
