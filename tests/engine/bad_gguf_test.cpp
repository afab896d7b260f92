// Files that are no model: each is Error(model) with a sentence, and none reaches llama.cpp as if it were one.

#include <ggml.h>
#include <gguf.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/file.h"
#include "engine/gguf_file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/model.h"

namespace valuelens {
namespace {

/// Writes a GGUF of one F32 tensor [n].
class TinyGguf {
public:
    explicit TinyGguf(const std::string & architecture, const std::string & tensor = "token_embd.weight",
                      std::int64_t n = 4096)
        : gguf_(gguf_init_empty(), gguf_free), ggml_(ggml_init({1 << 20, nullptr, false}), ggml_free) {
        if (!architecture.empty()) {
            gguf_set_val_str(gguf_.get(), "general.architecture", architecture.c_str());
        }
        ggml_tensor * data = ggml_new_tensor_1d(ggml_.get(), GGML_TYPE_F32, n);
        ggml_set_name(data, tensor.c_str());
        std::fill_n(static_cast<float *>(data->data), n, 1.0f);
        gguf_add_tensor(gguf_.get(), data);
    }

    gguf_context * get() { return gguf_.get(); }

    std::string write(const std::filesystem::path & path) {
        gguf_write_to_file(gguf_.get(), path.c_str(), /* only_meta = */ false);
        return path.string();
    }

private:
    std::unique_ptr<gguf_context, decltype(&gguf_free)> gguf_;
    std::unique_ptr<ggml_context, decltype(&ggml_free)> ggml_;
};

class BadGguf : public testing::Test {
protected:
    /// All ways to open it say the same.
    static void expect_all_refuse(const std::string & path, const std::vector<std::string> & words) {
        expect_error(ErrorKind::model, words, [&] { Model::load({.path = path}); });
        expect_error(ErrorKind::model, words, [&] { read_model_info(path); });
        expect_error(ErrorKind::model, words, [&] { model_identity(path); });
        expect_error(ErrorKind::model, words, [&] { check_gguf(path); });
    }

    TempFolder folder;
};

TEST_F(BadGguf, MissingFilesAndFoldersAreNamed) {
    expect_all_refuse((folder / "none.gguf").string(), {"none.gguf", "No such file", "valuelens models list"});
    expect_all_refuse(folder.path().string(), {folder.path().string(), "is a folder"});
}

TEST_F(BadGguf, FilesOfAnotherKindAreNamed) {
    for (const char * contents : {"", "GG", "this is a text", "\x80\x04pickle"}) {
        write_file(folder / "odd.gguf", contents);
        expect_all_refuse((folder / "odd.gguf").string(), {"odd.gguf", "not a GGUF file"});
    }
}

TEST_F(BadGguf, CutOffFilesAreNamedWhereverTheyEnd) {
    TinyGguf gguf("llama");
    const std::string whole = read_file(gguf.write(folder / "whole.gguf"));
    ASSERT_GT(whole.size(), 16384u);
    const std::string path = (folder / "cut.gguf").string();
    write_file(path, whole.substr(0, whole.size() - 1));
    expect_all_refuse(path, {"cut.gguf", "truncated", std::to_string(whole.size() - 1), std::to_string(whole.size())});
    for (const std::size_t bytes : {4u, 7u, 12u, 30u, 60u, 90u}) { // in the magic, the counts, a key, the tensor table
        write_file(path, whole.substr(0, bytes));
        expect_all_refuse(path, {"cut.gguf", "truncated or damaged", "fetch it again"});
    }
}

TEST_F(BadGguf, AHeaderThatClaimsAbsurdCountsIsRefused) {
    std::string bytes = read_file(TinyGguf("llama").write(folder / "whole.gguf"));
    for (std::size_t i = 8; i < 24; ++i) { // tensor count and key count
        bytes[i] = '\x7F';
    }
    write_file(folder / "absurd.gguf", bytes);
    expect_all_refuse((folder / "absurd.gguf").string(), {"absurd.gguf"});
}

TEST_F(BadGguf, AControlVectorIsNoLanguageModel) {
    const std::string path = TinyGguf("controlvector", "direction.1").write(folder / "cv.gguf");
    for (const bool load : {true, false}) {
        expect_error(ErrorKind::model, {"cv.gguf", "control vector", "not a language model"}, [&] {
            load ? static_cast<void>(Model::load({.path = path})) : static_cast<void>(read_model_info(path));
        });
    }
}

TEST_F(BadGguf, AnAdapterIsNoLanguageModel) {
    TinyGguf gguf("llama", "blk.0.attn_q.weight.lora_a");
    gguf_set_val_str(gguf.get(), "general.type", "adapter");
    const std::string path = gguf.write(folder / "lora.gguf");
    expect_error(ErrorKind::model, {"lora.gguf", "LoRA adapter"}, [&] { Model::load({.path = path}); });
}

TEST_F(BadGguf, AFileWithoutArchitectureIsNoLanguageModel) {
    const std::string path = TinyGguf("").write(folder / "bare.gguf");
    expect_error(ErrorKind::model, {"bare.gguf", "general.architecture"}, [&] { Model::load({.path = path}); });
}

TEST_F(BadGguf, WhatLlamaCannotLoadCarriesItsReason) {
    const std::string unknown = TinyGguf("quux").write(folder / "quux.gguf");
    expect_error(ErrorKind::model, {"quux.gguf", "llama.cpp cannot load it", "unknown model architecture: 'quux'"},
                 [&] { Model::load({.path = unknown}); });
    const std::string hollow = TinyGguf("llama").write(folder / "hollow.gguf");
    expect_error(ErrorKind::model, {"hollow.gguf", "llama.cpp cannot load it", "llama.context_length"},
                 [&] { Model::load({.path = hollow}); });
}

TEST_F(BadGguf, AMissingPartIsNamed) {
    TinyGguf gguf("llama");
    gguf_set_val_u16(gguf.get(), "split.count", 2);
    const std::string first = gguf.write(folder / "big-00001-of-00002.gguf");
    expect_all_refuse(first, {"big-00002-of-00002.gguf", "part 2 of 2 is missing"});
    const std::string second = gguf.write(folder / "big-00002-of-00002.gguf");
    expect_all_refuse(second, {"big-00002-of-00002.gguf", "one part of 2", "-00001-of-00002.gguf"});
    EXPECT_EQ(gguf_parts(first), (std::vector{first, second}));
}

TEST_F(BadGguf, ADifferentByteIsADifferentIdentity) {
    TinyGguf gguf("llama");
    const std::string path = gguf.write(folder / "a.gguf");
    const std::string identity = model_identity(path);
    EXPECT_EQ(identity.size(), 64u);
    std::filesystem::copy(path, folder / "b.gguf");
    EXPECT_EQ(model_identity((folder / "b.gguf").string()), identity) << "the name plays no part";
    std::string bytes = read_file(path);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(path, bytes);
    EXPECT_NE(model_identity(path), identity);
}

} // namespace
} // namespace valuelens
