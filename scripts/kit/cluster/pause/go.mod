module hookbridge/scripts/kit/cluster/pause

go 1.26.0
