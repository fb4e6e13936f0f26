package run

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/syncline-io/syncline/framework/config"
)

// newLog makes the logger that a file asks for; it writes to standard error.
func newLog(c config.Log) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, err
	}
	z := zap.NewProductionConfig()
	z.Level = zap.NewAtomicLevelAt(level)
	z.Encoding = c.Format
	z.Sampling = nil
	z.DisableStacktrace = true
	z.DisableCaller = true
	z.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	z.EncoderConfig.EncodeDuration = zapcore.StringDurationEncoder
	z.EncoderConfig.TimeKey = "time"
	return z.Build()
}
