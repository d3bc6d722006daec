module signet/deploy/release

go 1.26.0
