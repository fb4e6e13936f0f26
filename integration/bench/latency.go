package main

import "context"

func measureLatency(ctx context.Context, s *stage, o options) ([]Result, error) { return nil, nil }
