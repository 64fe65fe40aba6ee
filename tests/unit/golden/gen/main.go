// Golden vectors for the codecs of provider/value, made by go-cty's own codecs.
//
//	golden vectors                    writes the vectors to standard output
//	golden verify VECTORS REWRITTEN   reads with go-cty what our encoders made of the vectors and of
//	                                  values of their own, and compares
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"github.com/zclconf/go-cty/cty/msgpack"
)

// Vector is one value in all its forms.
type Vector struct {
	Name string `json:"name"`
	// The type that the codecs are given, as cty writes it.
	Type string `json:"type"`
	// Bytes in hexadecimal; From, where there is one, is another form that means the same value.
	Msgpack string `json:"msgpack"`
	From    string `json:"from,omitempty"`
	// Absent where cty's JSON cannot hold the value, or not exactly.
	JSON     string `json:"json,omitempty"`
	JSONFrom string `json:"json_from,omitempty"`
	// The value has a set of several elements, whose order on the wire is each writer's own.
	Reordered bool `json:"reordered,omitempty"`
}

// Refusal is input that cty's decoders refuse.
type Refusal struct {
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Msgpack *string `json:"msgpack,omitempty"`
	JSON    *string `json:"json,omitempty"`
}

// Document is the file of vectors.
type Document struct {
	GoCty    string    `json:"go_cty"`
	Vectors  []Vector  `json:"vectors"`
	Refusals []Refusal `json:"refusals"`
}

// Rewritten is what our encoders made: of each vector by name, and of values of their own.
type Rewritten struct {
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Msgpack string  `json:"msgpack"`
	JSON    *string `json:"json"`
}

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "vectors":
		err = writeVectors()
	case len(os.Args) == 4 && os.Args[1] == "verify":
		err = verify(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: golden vectors | golden verify VECTORS REWRITTEN")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeVectors() error {
	doc := Document{GoCty: goCtyVersion()}
	for _, c := range allCases() {
		v, err := vectorOf(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		doc.Vectors = append(doc.Vectors, v)
	}
	for _, f := range foreignForms() {
		v, err := foreignVector(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		doc.Vectors = append(doc.Vectors, v)
	}
	for _, r := range refusals() {
		if err := checkRefused(r); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		doc.Refusals = append(doc.Refusals, r)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(doc)
}

func vectorOf(c testCase) (Vector, error) {
	typeJSON, err := ctyjson.MarshalType(c.ty)
	if err != nil {
		return Vector{}, err
	}
	packed, err := msgpack.Marshal(c.val, c.ty)
	if err != nil {
		return Vector{}, err
	}
	// A double's form is float64, but once it has been in a state, which is JSON, it is a decimal: to
	// cty the same number. Our decoder makes the decimal of it at once.
	val, err := msgpack.Unmarshal(packed, c.ty)
	if err != nil {
		return Vector{}, err
	}
	v := Vector{Name: c.name, Type: string(typeJSON), Msgpack: hex.EncodeToString(packed),
		Reordered: reorders(val)}
	if !val.IsWhollyKnown() {
		return v, nil
	}
	text, err := ctyjson.Marshal(val, c.ty)
	if err != nil {
		return v, err
	}
	back, err := ctyjson.Unmarshal(text, c.ty)
	if err != nil {
		return v, err
	}
	if !back.RawEquals(val) {
		return v, nil
	}
	v.JSON = string(text)
	settled, err := msgpack.Marshal(back, c.ty)
	if !bytes.Equal(settled, packed) {
		v.From, v.Msgpack = v.Msgpack, hex.EncodeToString(settled)
	}
	return v, err
}

// Whether a set of several elements is somewhere in v.
func reorders(v cty.Value) bool {
	found := false
	cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		found = found || v.Type().IsSetType() && v.IsKnown() && !v.IsNull() && v.LengthInt() > 1
		return true, nil
	})
	return found
}

func foreignVector(f foreign) (Vector, error) {
	var val cty.Value
	var err error
	out := Vector{}
	if f.json != "" {
		val, err = ctyjson.Unmarshal([]byte(f.json), f.ty)
		out.JSONFrom = f.json
	} else {
		val, err = msgpack.Unmarshal(f.msgpack, f.ty)
		out.From = hex.EncodeToString(f.msgpack)
	}
	if err != nil {
		return out, err
	}
	v, err := vectorOf(testCase{f.name, f.ty, val})
	if out.From != "" {
		v.From = out.From
	}
	v.JSONFrom = out.JSONFrom
	return v, err
}

// A panic is a refusal too: cty's JSON decoder panics while it words the error of a tuple of the
// wrong length.
func checkRefused(r Refusal) (err error) {
	defer func() {
		if recover() != nil {
			err = nil
		}
	}()
	ty, err := ctyjson.UnmarshalType([]byte(r.Type))
	if err != nil {
		return err
	}
	if r.JSON != nil {
		_, err = ctyjson.Unmarshal([]byte(*r.JSON), ty)
	} else {
		var packed []byte
		if packed, err = hex.DecodeString(*r.Msgpack); err == nil {
			_, err = msgpack.Unmarshal(packed, ty)
		}
	}
	if err == nil {
		return fmt.Errorf("cty accepts it")
	}
	return nil
}

func readFile(name string, into any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func verify(vectorsFile, rewrittenFile string) error {
	var doc Document
	var ours []Rewritten
	if err := readFile(vectorsFile, &doc); err != nil {
		return err
	}
	if err := readFile(rewrittenFile, &ours); err != nil {
		return err
	}
	byName := map[string]Rewritten{}
	var problems []string
	for _, r := range ours {
		byName[r.Name] = r
		if err := consistent(r); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", r.Name, err))
		}
	}
	for _, v := range doc.Vectors {
		if err := same(v, byName[v.Name]); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", v.Name, err))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems:\n%s", len(problems), strings.Join(problems, "\n"))
	}
	fmt.Printf("%d vectors and %d other values agree\n", len(doc.Vectors),
		len(ours)-len(doc.Vectors))
	return nil
}

func decode(typeJSON, packedHex string) (cty.Type, cty.Value, error) {
	ty, err := ctyjson.UnmarshalType([]byte(typeJSON))
	if err != nil {
		return ty, cty.NilVal, fmt.Errorf("type: %w", err)
	}
	packed, err := hex.DecodeString(packedHex)
	if err != nil {
		return ty, cty.NilVal, err
	}
	val, err := msgpack.Unmarshal(packed, ty)
	return ty, val, err
}

// Both forms that we wrote are the same value to cty.
func consistent(r Rewritten) error {
	ty, val, err := decode(r.Type, r.Msgpack)
	if err != nil {
		return err
	}
	if r.JSON == nil {
		if val.IsWhollyKnown() {
			return fmt.Errorf("wholly known, but not written as JSON")
		}
		return nil
	}
	fromJSON, err := ctyjson.Unmarshal([]byte(*r.JSON), ty)
	if err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	if !fromJSON.RawEquals(val) {
		return fmt.Errorf("msgpack is %#v, JSON is %#v", val, fromJSON)
	}
	return nil
}

func same(v Vector, r Rewritten) error {
	if r.Name == "" {
		return fmt.Errorf("not written")
	}
	_, want, err := decode(v.Type, v.Msgpack)
	if err != nil {
		return err
	}
	_, got, err := decode(v.Type, r.Msgpack)
	if err != nil {
		return err
	}
	if !got.RawEquals(want) {
		return fmt.Errorf("want %#v, got %#v", want, got)
	}
	return nil
}
