package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm/schema"
)

func init() {
	schema.RegisterSerializer("signet_json", jsonColumn{})
	schema.RegisterSerializer("signet_millis", millisColumn{})
}

// jsonColumn stores lists and small structs as JSON in a text column. Empty values are stored as
// the empty string, which is also the default of such a column and means absent.
type jsonColumn struct{}

// Scan reads JSON into the field.
func (jsonColumn) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, stored any) error {
	var text []byte
	switch v := stored.(type) {
	case nil:
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("column %s holds %T", field.DBName, stored)
	}
	value := reflect.New(field.FieldType)
	if len(text) > 0 {
		if err := json.Unmarshal(text, value.Interface()); err != nil {
			return fmt.Errorf("column %s: %w", field.DBName, err)
		}
	}
	field.ReflectValueOf(ctx, dst).Set(value.Elem())
	return nil
}

// Value returns the field as JSON.
func (jsonColumn) Value(_ context.Context, _ *schema.Field, _ reflect.Value, value any) (any, error) {
	return JSONText(value)
}

// JSONText returns the form in which a jsonColumn stores a value.
func JSONText(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	switch s := string(text); s {
	case "null", "[]", "{}":
		return "", nil
	default:
		return s, nil
	}
}

// millisColumn stores a duration in whole milliseconds, and any negative duration as -1, which
// means unset.
type millisColumn struct{}

// Scan reads milliseconds into the field.
func (millisColumn) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, stored any) error {
	millis, ok := stored.(int64)
	if !ok {
		return fmt.Errorf("column %s holds %T", field.DBName, stored)
	}
	field.ReflectValueOf(ctx, dst).SetInt(int64(millisDuration(millis)))
	return nil
}

// Value returns the field in milliseconds.
func (millisColumn) Value(_ context.Context, _ *schema.Field, _ reflect.Value, value any) (any, error) {
	d, ok := value.(time.Duration)
	if !ok {
		return nil, fmt.Errorf("%T is not a time.Duration", value)
	}
	return durationMillis(d), nil
}

func millisDuration(millis int64) time.Duration {
	if millis < 0 {
		return -1
	}
	return time.Duration(millis) * time.Millisecond
}

func durationMillis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}
