package main

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime/debug"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

type testCase struct {
	name string
	ty   cty.Type
	val  cty.Value
}

func goCtyVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/zclconf/go-cty" {
			return dep.Version
		}
	}
	return ""
}

func allCases() []testCase {
	var out []testCase
	for _, more := range [][]testCase{primitives(), numbers(), collections(), structures(),
		dynamics(), unknowns(), generated()} {
		out = append(out, more...)
	}
	return out
}

func of(name string, v cty.Value) testCase {
	return testCase{name, v.Type(), v}
}

func primitives() []testCase {
	out := []testCase{
		of("true", cty.True), of("false", cty.False),
		of("empty string", cty.StringVal("")),
		of("null bool", cty.NullVal(cty.Bool)),
		of("null number", cty.NullVal(cty.Number)),
		of("null string", cty.NullVal(cty.String)),
		of("null list", cty.NullVal(cty.List(cty.String))),
		of("null set", cty.NullVal(cty.Set(cty.String))),
		of("null map", cty.NullVal(cty.Map(cty.Bool))),
		of("null tuple", cty.NullVal(cty.Tuple([]cty.Type{cty.String, cty.Bool}))),
		of("null object", cty.NullVal(cty.Object(map[string]cty.Type{"a": cty.String}))),
	}
	texts := map[string]string{
		"ASCII": "hello", "controls": "\x00\x01\t\n\r\x1f\x7f", "quotes": `"\/'`,
		"HTML": "<a href=\"x\">&amp;</a>", "two bytes": "Grüße", "three bytes": "日本語",
		"four bytes": "🐢🚀", "line separators": "\u2028\u2029", "composed": "e\u0301",
		"a number's marks": "n1 s1 n s", "digits": "0123456789",
	}
	for _, name := range sortedKeys(texts) {
		out = append(out, of("string: "+name, cty.StringVal(texts[name])))
	}
	// The lengths at which msgpack changes its form.
	for _, n := range []int{31, 32, 255, 256} {
		text := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		out = append(out, of(fmt.Sprintf("string of %d", n), cty.StringVal(text)))
	}
	return out
}

func numbers() []testCase {
	var out []testCase
	add := func(name string, v cty.Value) {
		out = append(out, of("number: "+name, v))
	}
	for _, bits := range []uint{0, 4, 5, 7, 8, 15, 16, 31, 32, 52, 53, 54, 62, 63, 64, 65, 100, 511} {
		power := new(big.Int).Lsh(big.NewInt(1), bits)
		for _, d := range []int64{-1, 0, 1} {
			n := new(big.Int).Add(power, big.NewInt(d))
			add(fmt.Sprintf("2^%d%+d", bits, d), cty.NumberVal(new(big.Float).SetInt(n)))
			n.Neg(n)
			add(fmt.Sprintf("-(2^%d%+d)", bits, d), cty.NumberVal(new(big.Float).SetInt(n)))
		}
	}
	for _, text := range []string{
		"0.1", "0.2", "0.3", "0.5", "0.25", "1.5", "-1.5", "-0.1", "3.14159265358979323846264338327950288",
		"1e10", "1e18", "1e19", "1e20", "1e100", "1e308", "1e309", "1e400", "1e-1", "1e-10", "1e-100",
		"1e-308", "1e-324", "1e-400", "123456789012345678901234567890", "1.000000000000000000000000001",
		"98765432109876543210.0123456789", "0.000001", "1e4000", "1e-4000",
		"9007199254740993", "9007199254740993.5", "100", "1200", "-1200.0625", "18446744073709551615",
		"18446744073709551616", "9223372036854775808.5",
	} {
		add(text, cty.MustParseNumberVal(text))
	}
	third, _, _ := big.ParseFloat("1", 10, 512, big.ToNearestEven)
	third.Quo(third, new(big.Float).SetPrec(512).SetInt64(3))
	add("a third", cty.NumberVal(third))
	for i, f := range doubles() {
		add(fmt.Sprintf("double %d: %v", i, f), cty.NumberFloatVal(f))
	}
	return out
}

// Doubles whose shortest decimals are easy to get wrong.
func doubles() []float64 {
	out := []float64{0.1, 0.2, 1.0 / 3, 0.7, 1e21, 1e-7, math.Pi, math.MaxFloat64, 123456.789, -0.1,
		math.SmallestNonzeroFloat64, 3 * math.SmallestNonzeroFloat64, 2.2250738585072014e-308,
		2.225073858507201e-308, 9007199254740991.5, 4503599627370495.5, 1125899906842623.25,
		1125899906842623.75, 0.3, 1 - 1.0/(1<<53)}
	for k := 1; k <= 1070; k += 1 + k/8 {
		out = append(out, math.Ldexp(1, -k), -math.Ldexp(1, -k))
	}
	for k := 1; k < 300; k += 1 + k/4 {
		f := math.Pow(10, float64(-k))
		out = append(out, f, math.Nextafter(f, 0), math.Nextafter(f, 1))
	}
	r := rand.New(rand.NewPCG(5, 5))
	for range 40 {
		out = append(out, math.Ldexp(r.Float64(), r.IntN(80)-60))
	}
	return out
}

func collections() []testCase {
	s, n := cty.StringVal, cty.NumberIntVal
	out := []testCase{
		of("empty list", cty.ListValEmpty(cty.String)),
		of("empty set", cty.SetValEmpty(cty.Number)),
		of("empty map", cty.MapValEmpty(cty.Bool)),
		of("empty list of lists", cty.ListVal([]cty.Value{cty.ListValEmpty(cty.String)})),
		of("list", cty.ListVal([]cty.Value{s("a"), s("b"), s("a")})),
		of("list with null", cty.ListVal([]cty.Value{s("a"), cty.NullVal(cty.String)})),
		of("set of one", cty.SetVal([]cty.Value{s("a")})),
		of("set of strings", cty.SetVal([]cty.Value{s("c"), s("a"), s("b"), s("a")})),
		of("set of numbers", cty.SetVal([]cty.Value{n(10), n(9), n(-1), n(100)})),
		of("set of bools", cty.SetVal([]cty.Value{cty.True, cty.False})),
		of("set with null", cty.SetVal([]cty.Value{cty.NullVal(cty.String), s("a")})),
		of("set of lists", cty.SetVal([]cty.Value{cty.ListVal([]cty.Value{s("b")}),
			cty.ListVal([]cty.Value{s("a"), s("z")}), cty.ListValEmpty(cty.String)})),
		of("set of sets", cty.SetVal([]cty.Value{cty.SetVal([]cty.Value{s("b"), s("a")}),
			cty.SetVal([]cty.Value{s("a"), s("b")}), cty.SetVal([]cty.Value{s("c")})})),
		of("map", cty.MapVal(map[string]cty.Value{"b": n(2), "a": n(1), "": n(0), "ä": n(3)})),
		of("map with null", cty.MapVal(map[string]cty.Value{"a": cty.NullVal(cty.Number)})),
		of("map of maps", cty.MapVal(map[string]cty.Value{
			"x": cty.MapVal(map[string]cty.Value{"y": s("z")}), "w": cty.MapValEmpty(cty.String)})),
	}
	for _, count := range []int{15, 16, 17, 300} {
		var elems []cty.Value
		members := map[string]cty.Value{}
		for i := range count {
			elems = append(elems, n(int64(i*i)))
			members[fmt.Sprintf("key%d", i)] = cty.BoolVal(i%2 == 0)
		}
		out = append(out, of(fmt.Sprintf("list of %d", count), cty.ListVal(elems)),
			of(fmt.Sprintf("map of %d", count), cty.MapVal(members)))
	}
	deep := s("bottom")
	for range 30 {
		deep = cty.ListVal([]cty.Value{deep})
	}
	return append(out, of("30 lists within each other", deep))
}

func structures() []testCase {
	s, n := cty.StringVal, cty.NumberIntVal
	object := cty.ObjectVal(map[string]cty.Value{
		"name": s("x"), "count": n(3), "on": cty.True, "none": cty.NullVal(cty.String),
		"tags": cty.MapVal(map[string]cty.Value{"k": s("v")}),
		"nested": cty.ObjectVal(map[string]cty.Value{"zones": cty.ListVal([]cty.Value{s("a")}),
			"set": cty.SetVal([]cty.Value{n(2), n(1)})}),
	})
	return []testCase{
		of("empty object", cty.EmptyObjectVal), of("empty tuple", cty.EmptyTupleVal),
		of("object", object),
		of("list of objects", cty.ListVal([]cty.Value{object, cty.NullVal(object.Type())})),
		of("set of objects", cty.SetVal([]cty.Value{
			cty.ObjectVal(map[string]cty.Value{"from": n(22), "to": n(22)}),
			cty.ObjectVal(map[string]cty.Value{"from": n(80), "to": n(443)}),
			cty.ObjectVal(map[string]cty.Value{"from": n(80), "to": cty.NullVal(cty.Number)})})),
		of("odd attribute names", cty.ObjectVal(map[string]cty.Value{"a.b": s("1"), "": s("2"),
			"\"": s("3"), "ü": s("4"), "A": s("5"), "a": s("6"), "_": s("7")})),
		of("tuple", cty.TupleVal([]cty.Value{s("a"), n(1), cty.False, object,
			cty.NullVal(cty.Bool)})),
	}
}

func dynamics() []testCase {
	s, n, dyn := cty.StringVal, cty.NumberIntVal, cty.DynamicPseudoType
	in := func(name string, v cty.Value) testCase {
		return testCase{"dynamic: " + name, dyn, v}
	}
	objectType := cty.Object(map[string]cty.Type{"a": dyn, "b": cty.String})
	return []testCase{
		in("string", s("x")), in("number", n(5)), in("bool", cty.True),
		in("null without a type", cty.NullVal(dyn)), in("unknown without a type", cty.DynamicVal),
		in("null string", cty.NullVal(cty.String)),
		in("null object", cty.NullVal(cty.Object(map[string]cty.Type{"x": cty.Number}))),
		in("unknown string", cty.UnknownVal(cty.String)),
		in("refined string", cty.UnknownVal(cty.String).RefineNotNull()),
		in("list", cty.ListVal([]cty.Value{n(1), n(2)})),
		in("empty tuple", cty.EmptyTupleVal), in("empty object", cty.EmptyObjectVal),
		in("tuple", cty.TupleVal([]cty.Value{s("a"), cty.NullVal(dyn), cty.DynamicVal})),
		in("object", cty.ObjectVal(map[string]cty.Value{"k": n(1), "l": cty.ListValEmpty(cty.Bool)})),
		in("set", cty.SetVal([]cty.Value{s("b"), s("a")})),
		in("map of tuples", cty.MapVal(map[string]cty.Value{"k": cty.TupleVal([]cty.Value{n(1)})})),
		{"dynamic attribute", objectType, cty.ObjectVal(map[string]cty.Value{
			"a": cty.ListVal([]cty.Value{s("x")}), "b": s("y")})},
		{"dynamic attribute null", objectType, cty.ObjectVal(map[string]cty.Value{
			"a": cty.NullVal(dyn), "b": s("y")})},
		{"dynamic attribute typed null", objectType, cty.ObjectVal(map[string]cty.Value{
			"a": cty.NullVal(cty.Number), "b": cty.NullVal(cty.String)})},
		{"dynamic attribute unknown", objectType, cty.ObjectVal(map[string]cty.Value{
			"a": cty.DynamicVal, "b": cty.UnknownVal(cty.String)})},
		{"map of dynamic", cty.Map(dyn), cty.MapVal(map[string]cty.Value{"a": n(1), "b": n(2)})},
		{"list of dynamic", cty.List(dyn), cty.ListVal([]cty.Value{s("a"), s("b")})},
		{"tuple of dynamic", cty.Tuple([]cty.Type{dyn, dyn}),
			cty.TupleVal([]cty.Value{s("a"), cty.ObjectVal(map[string]cty.Value{"x": cty.True})})},
	}
}

func unknowns() []testCase {
	num := func(text string) cty.Value { return cty.MustParseNumberVal(text) }
	unknown := cty.UnknownVal
	var out []testCase
	for _, ty := range []cty.Type{cty.Bool, cty.Number, cty.String, cty.List(cty.String),
		cty.Set(cty.Number), cty.Map(cty.Bool), cty.Tuple([]cty.Type{cty.String}),
		cty.Object(map[string]cty.Type{"a": cty.Bool})} {
		name := ty.FriendlyName()
		out = append(out, of("unknown "+name, unknown(ty)),
			of("unknown "+name+" not null", unknown(ty).RefineNotNull()))
	}
	str := func(prefix string) cty.Value {
		return unknown(cty.String).Refine().StringPrefixFull(prefix).NewValue()
	}
	out = append(out,
		of("refined: prefix", str("arn:aws:")),
		of("refined: prefix not null", str("arn:").RefineNotNull()),
		of("refined: prefix of 256", str(strings.Repeat("x", 256))),
		of("refined: prefix beyond ASCII", str("Grüße-")),
		of("refined: lower bound", unknown(cty.Number).Refine().
			NumberRangeLowerBound(num("0"), true).NewValue()),
		of("refined: bounds", unknown(cty.Number).Refine().NotNull().
			NumberRangeLowerBound(num("-1.5"), false).
			NumberRangeUpperBound(num("1e30"), true).NewValue()),
		of("refined: odd bounds", unknown(cty.Number).Refine().
			NumberRangeLowerBound(num("0.1"), true).
			NumberRangeUpperBound(num("300"), false).NewValue()),
		of("refined: list length", unknown(cty.List(cty.String)).Refine().
			CollectionLengthLowerBound(1).CollectionLengthUpperBound(300).NewValue()),
		of("refined: set length", unknown(cty.Set(cty.String)).Refine().NotNull().
			CollectionLengthLowerBound(2).NewValue()),
		of("refined: map length", unknown(cty.Map(cty.String)).Refine().
			CollectionLengthUpperBound(0).NewValue()),
		of("list with unknown", cty.ListVal([]cty.Value{cty.StringVal("a"), unknown(cty.String)})),
		of("set with unknown", cty.SetVal([]cty.Value{cty.StringVal("a"), unknown(cty.String)})),
		of("object with unknown", cty.ObjectVal(map[string]cty.Value{"id": unknown(cty.String),
			"ip": str("10."), "n": cty.NumberIntVal(1)})),
		of("map with unknown", cty.MapVal(map[string]cty.Value{"k": unknown(cty.Number)})),
	)
	return out
}

// Random types and values: always the same ones.
func generated() []testCase {
	g := generator{rand.New(rand.NewPCG(6, 6))}
	var out []testCase
	for i := range 200 {
		ty := g.anyType(4)
		out = append(out, testCase{fmt.Sprintf("generated %d", i), ty, g.value(ty, 0)})
	}
	return out
}

type generator struct{ *rand.Rand }

func (g generator) anyType(depth int) cty.Type {
	kind := g.IntN(8)
	if depth == 0 {
		kind = g.IntN(3)
	}
	switch kind {
	case 0:
		return cty.String
	case 1:
		return cty.Number
	case 2:
		return cty.Bool
	case 3:
		return cty.List(g.anyType(depth - 1))
	case 4:
		return cty.Set(g.anyType(depth - 1))
	case 5:
		return cty.Map(g.anyType(depth - 1))
	case 6:
		types := []cty.Type{}
		for range g.IntN(4) {
			types = append(types, g.anyType(depth-1))
		}
		return cty.Tuple(types)
	default:
		attrs := map[string]cty.Type{}
		for range g.IntN(6) {
			attrs[g.text(6)] = g.anyType(depth - 1)
		}
		return cty.Object(attrs)
	}
}

func (g generator) text(most int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz_-.0123456789ABÄß漢🐢 \"\\\n<&"
	runes := []rune(letters)
	var out []rune
	for range g.IntN(most + 1) {
		out = append(out, runes[g.IntN(len(runes))])
	}
	return string(out)
}

func (g generator) number() cty.Value {
	switch g.IntN(4) {
	case 0:
		return cty.NumberIntVal(g.Int64N(1<<20) - 1<<19)
	case 1:
		return cty.NumberIntVal(int64(g.Uint64()))
	case 2:
		return cty.MustParseNumberVal(fmt.Sprintf("%d.%d", g.IntN(1000), g.IntN(1000)))
	default:
		return cty.MustParseNumberVal(fmt.Sprintf("%d%d%de%d", g.Uint64()>>1, g.Uint64(), g.Uint64(),
			g.IntN(80)-40))
	}
}

func (g generator) value(ty cty.Type, depth int) cty.Value {
	switch odds := g.IntN(20); {
	case odds == 0 && depth > 0:
		return cty.NullVal(ty)
	case odds == 1 && depth > 0:
		return cty.UnknownVal(ty)
	case odds == 2 && depth > 0:
		return cty.UnknownVal(ty).RefineNotNull()
	}
	switch {
	case ty == cty.String:
		return cty.StringVal(g.text(12))
	case ty == cty.Number:
		return g.number()
	case ty == cty.Bool:
		return cty.BoolVal(g.IntN(2) == 0)
	case ty.IsTupleType():
		var elems []cty.Value
		for _, e := range ty.TupleElementTypes() {
			elems = append(elems, g.value(e, depth+1))
		}
		return cty.TupleVal(elems)
	case ty.IsObjectType():
		attrs := map[string]cty.Value{}
		for _, name := range sortedKeys(ty.AttributeTypes()) {
			attrs[name] = g.value(ty.AttributeType(name), depth+1)
		}
		return cty.ObjectVal(attrs)
	}
	return g.collection(ty, depth)
}

func (g generator) collection(ty cty.Type, depth int) cty.Value {
	var elems []cty.Value
	members := map[string]cty.Value{}
	for range g.IntN(4) {
		v := g.value(ty.ElementType(), depth+1)
		elems = append(elems, v)
		members[cty.NormalizeString(g.text(8))] = v
	}
	switch {
	case ty.IsListType() && len(elems) > 0:
		return cty.ListVal(elems)
	case ty.IsListType():
		return cty.ListValEmpty(ty.ElementType())
	case ty.IsSetType() && len(elems) > 0:
		return cty.SetVal(elems)
	case ty.IsSetType():
		return cty.SetValEmpty(ty.ElementType())
	case len(members) > 0:
		return cty.MapVal(members)
	default:
		return cty.MapValEmpty(ty.ElementType())
	}
}
