#include <bit>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "store/half.h"
#include "store/safetensors.h"

namespace valuelens {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

SafetensorsWriter::SafetensorsWriter(std::filesystem::path path) : path_(std::move(path)), file_(path_) {}

void SafetensorsWriter::set_metadata(std::map<std::string, std::string> metadata) {
    if (data_begin_ != 0) {
        fail(ErrorKind::internal, "{}: metadata set after data was written", path_.string());
    }
    metadata_ = std::move(metadata);
}

void SafetensorsWriter::declare(const std::string & name, DType dtype, std::vector<std::size_t> shape) {
    if (data_begin_ != 0) {
        fail(ErrorKind::internal, "{}: tensor '{}' declared after data was written", path_.string(), name);
    }
    if (name == "__metadata__" || !places_.emplace(name, entries_.size()).second) {
        fail(ErrorKind::internal, "{}: tensor name '{}' is taken", path_.string(), name);
    }
    Entry entry{name, dtype, std::move(shape), 0, dtype_size(dtype), 0, 0};
    for (const std::size_t extent : entry.shape) {
        if (__builtin_mul_overflow(entry.size, extent, &entry.size)) {
            fail(ErrorKind::bad_input, "{}: tensor '{}' is larger than a file can be", path_.string(), name);
        }
    }
    entry.begin = entries_.empty() ? 0 : entries_.back().begin + entries_.back().size;
    entries_.push_back(std::move(entry));
}

SafetensorsWriter::Entry & SafetensorsWriter::entry(const std::string & name) {
    const auto place = places_.find(name);
    if (place == places_.end()) {
        fail(ErrorKind::internal, "{}: tensor '{}' was not declared", path_.string(), name);
    }
    return entries_[place->second];
}

void SafetensorsWriter::write_header() {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata_.empty()) {
        header["__metadata__"] = metadata_;
    }
    for (const Entry & entry : entries_) {
        header[entry.name] = {{"dtype", to_string(entry.dtype)},
                              {"shape", entry.shape},
                              {"data_offsets", {entry.begin, entry.begin + entry.size}}};
    }
    std::string text;
    try {
        text = header.dump();
    } catch (const nlohmann::json::exception &) {
        fail(ErrorKind::bad_input, "{}: a tensor name or metadata text is not valid UTF-8", path_.string());
    }
    text.append((8 - text.size() % 8) % 8, ' ');
    const std::uint64_t length = text.size();
    file_.write(&length, sizeof(length));
    file_.write(text);
    data_begin_ = file_.size();
}

void SafetensorsWriter::write_at(const std::string & name, std::size_t offset, const void * data, std::size_t bytes) {
    Entry & target = entry(name);
    if (offset > target.size || bytes > target.size - offset) {
        fail(ErrorKind::internal, "{}: tensor '{}' has {} bytes, writing {} at {} does not fit", path_.string(), name,
             target.size, bytes, offset);
    }
    if (data_begin_ == 0) {
        write_header();
    }
    file_.write_at(data_begin_ + target.begin + offset, data, bytes);
    target.written += bytes;
}

void SafetensorsWriter::append(const std::string & name, const void * data, std::size_t bytes) {
    Entry & target = entry(name);
    write_at(name, target.appended, data, bytes);
    target.appended += bytes;
}

void SafetensorsWriter::append(const std::string & name, std::span<const float> values) {
    const Entry & target = entry(name);
    if (target.dtype == DType::f32) {
        append(name, values.data(), values.size_bytes());
        return;
    }
    if (target.dtype != DType::f16) {
        fail(ErrorKind::internal, "{}: tensor '{}' is {}, floats go to F32 or F16", path_.string(), name,
             to_string(target.dtype));
    }
    std::vector<std::uint16_t> halves(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        halves[i] = float_to_half(values[i]);
    }
    append(name, halves.data(), halves.size() * sizeof(std::uint16_t));
}

void SafetensorsWriter::commit() {
    if (data_begin_ == 0) {
        write_header();
    }
    for (const Entry & entry : entries_) {
        if (entry.written != entry.size) {
            fail(ErrorKind::internal, "{}: tensor '{}' got {} of {} bytes", path_.string(), entry.name, entry.written,
                 entry.size);
        }
    }
    file_.commit();
}

void write_safetensors(const std::filesystem::path & path, std::span<const FloatTensor> tensors,
                       const std::map<std::string, std::string> & metadata) {
    SafetensorsWriter writer(path);
    writer.set_metadata(metadata);
    for (const FloatTensor & tensor : tensors) {
        writer.declare(tensor.name, DType::f32, tensor.shape);
    }
    for (const FloatTensor & tensor : tensors) {
        writer.append(tensor.name, tensor.values);
    }
    writer.commit();
}

} // namespace valuelens
