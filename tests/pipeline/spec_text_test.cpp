#include "pipeline/spec_text.h"

#include "support/expect_error.h"

namespace valuelens {
namespace {

SpecText parse(const std::string & text) {
    return parse_spec_text(text, "--steer", {"layers", "alpha"});
}

TEST(SpecText, OptionsAreTakenFromTheEnd) {
    const SpecText spec = parse("a,b/c:key,alpha=-2.5e1,layers=3-7");
    EXPECT_EQ(spec.head, "a,b/c:key") << "a path may hold commas";
    EXPECT_EQ(spec.number("alpha"), -25.0f);
    EXPECT_EQ(spec.number("beta"), std::nullopt);
    const LayerRange range = layer_range(spec).value();
    EXPECT_EQ(range.first, 3);
    EXPECT_EQ(range.last, 7);
    EXPECT_TRUE(range.contains(7));
    EXPECT_FALSE(range.contains(8));
    EXPECT_EQ(layer_range(parse("x,layers=4")).value().last, 4);
    EXPECT_FALSE(layer_range(parse("x")).has_value());
}

TEST(SpecText, WrongPartsAreQuoted) {
    const auto expect_usage = [](const std::string & text, const std::vector<std::string> & words) {
        expect_error(ErrorKind::usage, words, [&] {
            const SpecText spec = parse(text);
            spec.number("alpha");
            layer_range(spec);
        });
    };
    expect_usage("f:k,alfa=2", {"--steer f:k,alfa=2", "\"alfa\"", "layers, alpha"});
    expect_usage("f:k,alpha=2,alpha=3", {"\"alpha\" is given twice"});
    expect_usage("f:k,alpha=", {"no value"});
    expect_usage("f:k,alpha", {"\"alpha\" has no value"});
    expect_usage("f:k,alpha=two", {"alpha=two is not a number"});
    expect_usage("f:k,alpha=2x", {"alpha=2x is not a number"});
    expect_usage("f:k,alpha=inf", {"alpha=inf is not a number"});
    for (const char * range : {"7-3", "a-b", "-3", "3-", "1-2-3", "1.5"}) {
        expect_usage(std::string("f:k,layers=") + range, {std::string("layers=") + range, "layers=A-B"});
    }
}

TEST(SpecText, LayersMustExist) {
    const SpecText spec = parse("f:k,layers=1-3");
    EXPECT_NO_THROW(require_layers(spec, *layer_range(spec), 4));
    expect_error(ErrorKind::usage, {"layers=1-3", "0-2"}, [&] { require_layers(spec, *layer_range(spec), 3); });
}

} // namespace
} // namespace valuelens
