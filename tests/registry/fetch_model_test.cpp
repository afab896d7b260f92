#include <gmock/gmock.h>

#include <cstdlib>

#include "base/hash.h"
#include "valuelens/model.h"
#include "valuelens/models.h"

namespace valuelens {
namespace {

/// Sets an environment variable for its life.
class ScopedVariable {
public:
    ScopedVariable(const char * name, const char * value) : name_(name) {
        if (const char * old = std::getenv(name)) {
            old_ = old;
        }
        ::setenv(name, value, 1);
    }
    ~ScopedVariable() {
        if (old_.empty()) {
            ::unsetenv(name_);
        } else {
            ::setenv(name_, old_.c_str(), 1);
        }
    }
    ScopedVariable(const ScopedVariable &) = delete;
    ScopedVariable & operator=(const ScopedVariable &) = delete;

private:
    const char * name_;
    std::string old_;
};

TEST(FetchModel, TheDefaultModelComesAsPublishedAndAsF32) {
    const auto original = fetch_model("smollm2-135m", "original");
    EXPECT_EQ(original, cached_model_path("smollm2-135m", "original"));
    EXPECT_EQ(sha256_file(original), catalogue().front().sha256);

    const ModelInfo info = read_model_info(fetch_model("smollm2-135m", "f32").string());
    EXPECT_EQ(info.n_layer, 30);
    EXPECT_EQ(info.bytes, info.parameters * 4);
}

TEST(FetchModel, WhatIsCachedNeedsNoPython) {
    const auto path = fetch_model("smollm2-135m", "f32");
    const ScopedVariable no_python("VALUELENS_PYTHON", "/no/such/python");
    EXPECT_EQ(fetch_model("smollm2-135m", "f32"), path);
    EXPECT_EQ(resolve_model("smollm2-135m:f32"), path);
    bool listed = false;
    for (const CachedModel & model : cached_models()) {
        listed = listed || (model.path == path && model.type == "f32" && model.name == "smollm2-135m");
    }
    EXPECT_TRUE(listed);
}

} // namespace
} // namespace valuelens
