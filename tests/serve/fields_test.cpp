#include "serve/fields.h"

#include <gtest/gtest.h>

#include "serve/expect_refusal.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::expect_refusal;

TEST(Fields, GivesValuesAndTakesNullForAbsent) {
    const json object = {{"a", 3}, {"b", 2.0}, {"c", "x"}, {"d", true}, {"e", nullptr}, {"f", 0.5}};
    Fields fields(object, "");
    EXPECT_EQ(fields.integer("a", 0, 10), 3);
    EXPECT_EQ(fields.integer("b", 0, 10), 2) << "a whole number written as 2.0 is one";
    EXPECT_EQ(fields.text("c"), "x");
    EXPECT_EQ(fields.boolean("d"), true);
    EXPECT_EQ(fields.integer("e", 0, 10), std::nullopt);
    EXPECT_EQ(fields.number("f", 0, 1), 0.5);
    EXPECT_EQ(fields.number("absent", 0, 1), std::nullopt);
    fields.done();
}

TEST(Fields, RefusesByNameWithTheirPlace) {
    const json object = {{"a", "3"}, {"b", 2.5},     {"c", 1e300},
                         {"d", 11},  {"e", "green"}, {"n", 18446744073709551615ULL}};
    Fields fields(object, "steering.vectors[0]");
    expect_refusal(400, "steering.vectors[0].a must be a whole number", [&] { fields.integer("a", 0, 10); });
    expect_refusal(400, "steering.vectors[0].b must be a whole number", [&] { fields.integer("b", 0, 10); });
    expect_refusal(400, "c must be a whole number", [&] { fields.integer("c", 0, 10); });
    expect_refusal(400, "n must be a whole number", [&] { fields.integer("n", 0, 10); });
    expect_refusal(400, "d is 11, must lie within 0 and 10", [&] { fields.integer("d", 0, 10); });
    expect_refusal(400, "d is 11, must lie within 0 and 1", [&] { fields.number("d", 0, 1); });
    expect_refusal(400, "e is \"green\", must be one of add, ablate", [&] { fields.word("e", {"add", "ablate"}); });
    expect_refusal(400, "a must be true or false", [&] { fields.boolean("a"); });
    expect_refusal(400, "d must be a string", [&] { fields.text("d"); });
    expect_refusal(400, "the body must be a JSON object", [] { Fields(json::array(), ""); });
}

TEST(Fields, WhatNobodyAskedForIsRefused) {
    const json object = {{"temperatur", 1}, {"user", "me"}};
    Fields fields(object, "");
    fields.ignore({"user"});
    fields.number("temperature", 0, 2);
    expect_refusal(400, "unknown field temperatur", [&] { fields.done(); });
}

TEST(Fields, KnownButNotOfferedIsTakenWhereItChangesNothing) {
    const json object = {{"a", 0}, {"b", json::array()}, {"c", false}, {"d", {{"type", "text"}}}, {"e", 0.5},
                         {"f", ""}};
    Fields fields(object, "");
    for (const char * name : {"a", "b", "c", "f", "absent"}) {
        fields.only_neutral(name);
    }
    fields.only_neutral("d", json::object({{"type", "text"}}));
    expect_refusal(400, "d is not supported", [&] { fields.only_neutral("d"); });
    expect_refusal(400, "e is not supported", [&] { fields.only_neutral("e"); });
}

TEST(ApiErrors, AreWhatOpenAisClientsRead) {
    const json body = json::parse(ApiError(400, "no \"x\" \xFF", "x").json());
    EXPECT_EQ(body["error"]["type"], "invalid_request_error");
    EXPECT_EQ(body["error"]["param"], "x");
    EXPECT_TRUE(body["error"]["code"].is_null());
    EXPECT_EQ(json::parse(ApiError(429, "full", {}, "queue_full").json())["error"]["code"], "queue_full");
    EXPECT_STREQ(ApiError(401, "").type(), "authentication_error");
    EXPECT_STREQ(ApiError(503, "").type(), "server_error");
    EXPECT_EQ(to_api_error(Error(ErrorKind::bad_input, "x"), false).status(), 400);
    EXPECT_EQ(to_api_error(Error(ErrorKind::model, "x"), false).status(), 500);
    EXPECT_EQ(to_api_error(Error(ErrorKind::model, "x"), true).status(), 400)
        << "steered too far is the sender's doing";
}

} // namespace
} // namespace valuelens
