#include "engine/output_head.h"

#include <algorithm>
#include <cassert>

#include "base/fail.h"
#include "engine/gguf_tensors.h"

namespace valuelens {

struct OutputHead::Impl {
    explicit Impl(const std::string & path) : tensors(path) {}

    GgufTensors tensors;
    const GgufTensor * head = nullptr;
    bool tied = false;
    bool centres = false;
    std::size_t n_embd = 0;
    std::vector<float> gain;
};

OutputHead::OutputHead(const std::string & path) : impl_(new Impl(path)) {
    const ModelInfo info = read_model_info(path);
    impl_->n_embd = static_cast<std::size_t>(std::max(0, info.n_embd));
    impl_->head = impl_->tensors.find("output.weight");
    impl_->tied = impl_->head == nullptr;
    const char * name = impl_->tied ? "token_embd.weight" : "output.weight";
    if (impl_->tied) {
        impl_->head = impl_->tensors.find(name);
    }
    if (impl_->head == nullptr) {
        fail(ErrorKind::model, "{}: has neither output.weight nor token_embd.weight, so it has no output head to read",
             path);
    }
    const GgufTensor & head = *impl_->head;
    if (head.ne[0] != impl_->n_embd || head.ne[2] != 1 || head.ne[3] != 1) {
        fail(ErrorKind::model, "{}: tensor '{}' has shape [{}], expected [{}, n_vocab]", path, name,
             fmt::join(head.ne, ", "), impl_->n_embd);
    }
    require_readable(path, name, head);
    impl_->centres = impl_->tensors.find("output_norm.bias") != nullptr;
    impl_->gain = impl_->tensors.find("output_norm.weight") != nullptr
                      ? impl_->tensors.read_vector("output_norm.weight", impl_->n_embd)
                      : std::vector<float>(impl_->n_embd, 1.0f);
}

OutputHead::~OutputHead() = default;

std::size_t OutputHead::n_vocab() const {
    return impl_->head->ne[1];
}

std::size_t OutputHead::n_embd() const {
    return impl_->n_embd;
}

bool OutputHead::tied() const {
    return impl_->tied;
}

const std::vector<float> & OutputHead::gain() const {
    return impl_->gain;
}

bool OutputHead::centres() const {
    return impl_->centres;
}

void OutputHead::read(std::size_t first, std::size_t n, float * out) const {
    assert(first + n <= n_vocab());
    const GgufTensor & head = *impl_->head;
    for (std::size_t row = 0; row < n; ++row) {
        dequantise(head.type, head.data + (first + row) * head.row_bytes(), impl_->n_embd, out + row * impl_->n_embd);
    }
}

} // namespace valuelens
