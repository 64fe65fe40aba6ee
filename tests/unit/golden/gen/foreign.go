package main

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// A form that cty does not write, but reads.
type foreign struct {
	name    string
	ty      cty.Type
	msgpack []byte
	json    string
}

func foreignForms() []foreign {
	packed := func(name string, ty cty.Type, text string) foreign {
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			panic(err)
		}
		return foreign{name: "read msgpack: " + name, ty: ty, msgpack: b}
	}
	text := func(name string, ty cty.Type, json string) foreign {
		return foreign{name: "read JSON: " + name, ty: ty, json: json}
	}
	num, str := cty.Number, cty.String
	list := cty.List(cty.String)
	object := cty.Object(map[string]cty.Type{"a": cty.Number, "b": cty.String})
	return []foreign{
		packed("uint8 that fits a fixint", num, "cc 05"),
		packed("uint64", num, "cf ff ff ff ff ff ff ff ff"),
		packed("int64 that fits a fixint", num, "d3 ff ff ff ff ff ff ff ff"),
		packed("int32", num, "d2 80 00 00 00"),
		packed("float32", num, "ca 3f c0 00 00"),
		packed("float that is an integer", num, "cb 40 14 00 00 00 00 00 00"),
		packed("string integer", num, "a2 34 32"),
		packed("string with exponent", num, "a4 31 65 31 30"),
		packed("string with sign", num, "a2 2b 31"),
		packed("str32", str, "db 00 00 00 01 61"),
		packed("array32", list, "dd 00 00 00 01 a1 61"),
		packed("map32", cty.Map(num), "df 00 00 00 01 a1 6b 01"),
		packed("attributes in another order", object, "82 a1 62 a1 78 a1 61 01"),
		packed("empty extension of another type", str, "c7 00 05"),
		packed("extension of one byte", str, "d4 07 ff"),
		packed("refined ext16", str, "c8 00 03 0c 81 01 c2"),
		packed("refined: null", str, "c7 03 0c 81 01 c3"),
		packed("refined: nothing", str, "c7 01 0c 80"),
		packed("refined: dynamic", cty.DynamicPseudoType, "c7 03 0c 81 01 c2"),
		packed("refined: bytes behind", str, "c7 04 0c 81 01 c2 00"),
		packed("tuple type of null", cty.DynamicPseudoType,
			"92 c4 0e 5b 22 74 75 70 6c 65 22 2c 6e 75 6c 6c 5d 90"),
		packed("object type of null", cty.DynamicPseudoType,
			"92 c4 0f 5b 22 6f 62 6a 65 63 74 22 2c 6e 75 6c 6c 5d 80"),
		text("spaces", object, " {\n\t\"b\" : \"x\" , \"a\":\r1 } "),
		text("missing attribute", object, `{"a":1}`),
		text("number in a string", num, `"12.50"`),
		text("exponents", cty.List(num), `[1e3, 1E3, 1e+3, 1.5e-3, -0, 0.0, 100, 1e-0]`),
		text("number for a string", list, `["x", 1, 1.50, -1e2, true, false, null]`),
		text("string for a bool", cty.List(cty.Bool), `["true", "false", "1", "0", true]`),
		text("escapes", str, `"\u0041\n\ud83d\udc22\/\"\\\u0000"`),
		text("escaped names", object, `{"\u0061":1,"b":"\u0062"}`),
		text("strings like numbers", list, `["1", "-1", "n1", "s1", "1e5", "\"1", "\\", "a\\\"1"]`),
		text("value before type", cty.DynamicPseudoType, `{"value":[1],"type":["list","number"]}`),
		text("type before value", cty.DynamicPseudoType, `{"type":["list","number"],"value":[1]}`),
	}
}

func refusals() []Refusal {
	packed := func(name, ty, text string) Refusal {
		text = strings.ReplaceAll(text, " ", "")
		return Refusal{Name: "msgpack: " + name, Type: ty, Msgpack: &text}
	}
	text := func(name, ty, json string) Refusal {
		return Refusal{Name: "JSON: " + name, Type: ty, JSON: &json}
	}
	object := `["object",{"a":"number","b":"string"}]`
	return []Refusal{
		packed("nothing", `"string"`, ""),
		packed("bool for a string", `"string"`, "c3"),
		packed("number for a string", `"string"`, "05"),
		packed("string for a bool", `"bool"`, "a4 74 72 75 65"),
		packed("number for a bool", `"bool"`, "01"),
		packed("bool for a number", `"number"`, "c3"),
		packed("text for a number", `"number"`, "a1 78"),
		packed("map for a list", `["list","string"]`, "80"),
		packed("list for a map", `["map","string"]`, "91 a1 78"),
		packed("short tuple", `["tuple",["string","string"]]`, "91 a1 78"),
		packed("wrong element", `["list","number"]`, "91 c2"),
		packed("missing attribute", object, "81 a1 61 01"),
		packed("unknown attribute", object, "82 a1 61 01 a1 63 01"),
		packed("cut string", `"string"`, "a5 61"),
		packed("cut list", `["list","string"]`, "92 a1 61"),
		packed("dynamic of three", `"dynamic"`, "93 c0 c0 c0"),
		packed("dynamic without a type", `"dynamic"`, "92 c4 01 78 c0"),
		packed("dynamic with a wrong value", `"dynamic"`, "92 c4 08 22 73 74 72 69 6e 67 22 c3"),
		packed("dynamic with a bare value", `"dynamic"`, "a1 78"),
		text("nothing", `"string"`, ``),
		text("cut", `["list","string"]`, `["a"`),
		text("object for a list", `["list","string"]`, `{}`),
		text("list for an object", object, `[]`),
		text("string for an object", object, `"x"`),
		text("number as a name", `["map","number"]`, `{1:2}`),
		text("unknown attribute", object, `{"a":1,"b":"x","c":1}`),
		text("short tuple", `["tuple",["string","string"]]`, `["x"]`),
		text("long tuple", `["tuple",["string"]]`, `["x","y"]`),
		text("number for a bool", `"bool"`, `1`),
		text("other string for a bool", `"bool"`, `"True"`),
		text("bool for a number", `"number"`, `true`),
		text("text for a number", `"number"`, `"x"`),
		text("list for a string", `"string"`, `["x"]`),
		text("leading zero", `["list","number"]`, `[01]`),
		text("leading plus", `["list","number"]`, `[+1]`),
		text("bare point", `["list","number"]`, `[1.]`),
		text("two points", `["list","number"]`, `[1.2.3]`),
		text("bare exponent", `["list","number"]`, `[1e]`),
		text("bare minus", `["list","number"]`, `[-]`),
		text("not a number", `["list","number"]`, `[NaN]`),
		text("infinity", `["list","number"]`, `[-Infinity]`),
		text("hexadecimal", `["list","number"]`, `[0x1]`),
		text("trailing comma", `["list","number"]`, `[1,]`),
		text("missing comma", `["list","number"]`, `[1 2]`),
		text("single quotes", `["list","string"]`, `['x']`),
		text("bad escape", `["list","string"]`, `["\x"]`),
		text("control character", `["list","string"]`, "[\"a\nb\"]"),
		text("dynamic without a type", `"dynamic"`, `{"value":1}`),
		text("dynamic without a value", `"dynamic"`, `{"type":"string"}`),
		text("dynamic with more", `"dynamic"`, `{"type":"string","value":"x","more":1}`),
		text("dynamic with a bare value", `"dynamic"`, `"x"`),
		text("dynamic with a wrong type", `"dynamic"`, `{"type":"text","value":"x"}`),
		text("dynamic with a wrong list type", `"dynamic"`, `{"type":["list"],"value":[]}`),
	}
}
