#include "store/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/fail.h"
#include "store/half.h"

namespace valuelens {

namespace {

struct DTypeName {
    DType dtype;
    const char * name;
    std::size_t size;
};

constexpr std::array<DTypeName, 7> dtype_names{{{DType::f32, "F32", 4},
                                                {DType::f16, "F16", 2},
                                                {DType::bf16, "BF16", 2},
                                                {DType::f64, "F64", 8},
                                                {DType::i32, "I32", 4},
                                                {DType::i64, "I64", 8},
                                                {DType::u8, "U8", 1}}};

/// The whole file, mapped; an empty pointer for an empty file.
std::shared_ptr<const char> map_file(const std::filesystem::path & path, std::size_t & size) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        fail(ErrorKind::bad_input, "{}: cannot be read ({})", path.string(), std::strerror(errno));
    }
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(descriptor);
        fail(ErrorKind::bad_input, "{}: is not a file; a .safetensors file was expected", path.string());
    }
    size = static_cast<std::size_t>(status.st_size);
    if (size == 0) {
        ::close(descriptor);
        return nullptr;
    }
    void * address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int cause = errno;
    ::close(descriptor);
    if (address == MAP_FAILED) {
        fail(ErrorKind::bad_input, "{}: cannot be mapped into memory ({})", path.string(), std::strerror(cause));
    }
    const std::size_t length = size;
    return {static_cast<const char *>(address), [length](const char * start) {
                ::munmap(const_cast<char *>(start), length);
            }};
}

/// The JSON header. A name that comes twice is an error, which the JSON library alone would not notice.
nlohmann::ordered_json parse_json(std::span<const char> text, const std::string & path) {
    std::set<std::string> seen;
    const auto check = [&](int depth, nlohmann::ordered_json::parse_event_t event, nlohmann::ordered_json & parsed) {
        if (depth == 1 && event == nlohmann::ordered_json::parse_event_t::key &&
            !seen.insert(parsed.get<std::string>()).second) {
            fail(ErrorKind::bad_input, "{}: the header names tensor '{}' twice", path, parsed.get<std::string>());
        }
        return true;
    };
    try {
        return nlohmann::ordered_json::parse(text.begin(), text.end(), check);
    } catch (const nlohmann::json::exception & error) {
        fail(ErrorKind::bad_input, "{}: the header is not valid JSON ({}); the file is damaged or not safetensors",
             path, error.what());
    }
}

/// A tensor and where its data begins and ends.
struct LocatedTensor {
    std::uint64_t begin, end;
    TensorView view;
};

/// Reads and checks one entry of the header. `data`: all that follows the header.
LocatedTensor parse_tensor(const std::string & name, const nlohmann::ordered_json & value, std::span<const char> data,
                           const std::string & path) {
    TensorView view;
    view.name = name;
    const auto field = [&](const char * key) -> const nlohmann::ordered_json & {
        if (!value.is_object() || !value.contains(key)) {
            fail(ErrorKind::bad_input, "{}: tensor '{}' has no '{}' in the header", path, name, key);
        }
        return value[key];
    };

    const nlohmann::ordered_json & dtype = field("dtype");
    const std::string dtype_text = dtype.is_string() ? dtype.get<std::string>() : dtype.dump();
    const auto known = std::find_if(dtype_names.begin(), dtype_names.end(),
                                    [&](const DTypeName & entry) { return dtype_text == entry.name; });
    if (known == dtype_names.end()) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has dtype {}; F32, F16, BF16, F64, I32, I64 and U8 are supported",
             path, name, dtype_text);
    }
    view.dtype = known->dtype;

    const nlohmann::ordered_json & shape = field("shape");
    std::uint64_t expected = known->size;
    bool usable = shape.is_array();
    for (std::size_t i = 0; usable && i < shape.size(); ++i) {
        usable = shape[i].is_number_unsigned() &&
                 !__builtin_mul_overflow(expected, shape[i].get<std::uint64_t>(), &expected);
        if (usable) {
            view.shape.push_back(shape[i].get<std::size_t>());
        }
    }
    if (!usable) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has the unusable shape {}", path, name, shape.dump());
    }

    const nlohmann::ordered_json & offsets = field("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has the unusable data_offsets {}", path, name, offsets.dump());
    }
    const auto begin = offsets[0].get<std::uint64_t>();
    const auto end = offsets[1].get<std::uint64_t>();
    if (begin > end || end - begin != expected) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' of dtype {} and shape {} needs {} bytes, its data_offsets are {}",
             path, name, dtype_text, shape.dump(), expected, offsets.dump());
    }
    if (end > data.size()) {
        fail(ErrorKind::bad_input,
             "{}: tensor '{}' ends at byte {} of the data, which has {} bytes; the file is truncated, make it again",
             path, name, end, data.size());
    }
    view.bytes = std::as_bytes(data.subspan(begin, expected));
    return {begin, end, std::move(view)};
}

template <typename Source, typename Convert>
void convert_all(std::span<const std::byte> bytes, std::vector<float> & result, Convert convert) {
    for (std::size_t i = 0; i < result.size(); ++i) {
        Source source;
        std::memcpy(&source, bytes.data() + i * sizeof(Source), sizeof(Source));
        result[i] = convert(source);
    }
}

} // namespace

const char * to_string(DType dtype) {
    return dtype_names[static_cast<std::size_t>(dtype)].name;
}

std::size_t dtype_size(DType dtype) {
    return dtype_names[static_cast<std::size_t>(dtype)].size;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path & path) : path_(path) {
    mapping_ = map_file(path, mapped_bytes_);
    parse_header({mapping_.get(), mapped_bytes_});
}

SafetensorsFile SafetensorsFile::from_memory(std::string_view contents, const std::filesystem::path & name) {
    SafetensorsFile file;
    file.path_ = name;
    file.mapping_ = std::shared_ptr<const char>(contents.data(), [](const char *) {}); // not ours to free
    file.parse_header({contents.data(), contents.size()});
    return file;
}

void SafetensorsFile::parse_header(std::span<const char> contents) {
    const std::string path = path_.string();

    // Eight bytes of header length, the header, then the data.
    std::uint64_t length = 0;
    if (contents.size() < sizeof(length)) {
        fail(ErrorKind::bad_input, "{}: has {} bytes, too short for a safetensors file", path, contents.size());
    }
    std::memcpy(&length, contents.data(), sizeof(length));
    if (length < 2 || length > contents.size() - sizeof(length)) {
        fail(ErrorKind::bad_input,
             "{}: states a header of {} bytes but has {} bytes in all; the file is truncated or not safetensors", path,
             length, contents.size());
    }
    const std::span<const char> data = contents.subspan(sizeof(length) + length);
    const nlohmann::ordered_json header = parse_json(contents.subspan(sizeof(length), length), path);
    if (!header.is_object()) {
        fail(ErrorKind::bad_input, "{}: the header is not a JSON object; the file is damaged or not safetensors", path);
    }

    std::vector<LocatedTensor> found;
    for (const auto & [name, value] : header.items()) {
        if (name == "__metadata__") {
            if (!value.is_object()) {
                fail(ErrorKind::bad_input, "{}: __metadata__ is not an object of texts", path);
            }
            for (const auto & [key, text] : value.items()) {
                if (!text.is_string()) {
                    fail(ErrorKind::bad_input, "{}: metadata key '{}' is not a text", path, key);
                }
                metadata_[key] = text.get<std::string>();
            }
            continue;
        }

        found.push_back(parse_tensor(name, value, data, path));
    }

    // The format wants the data covered without overlap and without holes.
    std::stable_sort(found.begin(), found.end(), [](const auto & left, const auto & right) {
        return std::pair(left.begin, left.end) < std::pair(right.begin, right.end);
    });
    std::uint64_t covered = 0;
    for (auto & [begin, end, view] : found) {
        if (begin != covered) {
            fail(ErrorKind::bad_input, "{}: tensor '{}' {} what comes before it (starts at {}, {} was expected)", path,
                 view.name, begin < covered ? "overlaps" : "leaves a hole after", begin, covered);
        }
        covered = end;
        places_.emplace(view.name, tensors_.size());
        tensors_.push_back(std::move(view));
    }
    if (covered != data.size()) {
        fail(ErrorKind::bad_input, "{}: {} bytes follow the last tensor; the file is damaged", path,
             data.size() - covered);
    }
}

std::vector<std::string> SafetensorsFile::names() const {
    std::vector<std::string> result;
    result.reserve(tensors_.size());
    for (const TensorView & tensor : tensors_) {
        result.push_back(tensor.name);
    }
    return result;
}

const TensorView & SafetensorsFile::find(const std::string & name) const {
    const auto place = places_.find(name);
    if (place != places_.end()) {
        return tensors_[place->second];
    }
    constexpr std::size_t listed = 12;
    std::string list;
    for (std::size_t i = 0; i < std::min(listed, tensors_.size()); ++i) {
        list += (i == 0 ? "" : ", ") + tensors_[i].name;
    }
    if (tensors_.size() > listed) {
        list += fmt::format(", ... ({} in all)", tensors_.size());
    }
    fail(ErrorKind::bad_input, "{}: has no tensor '{}'; it has {}", path_.string(), name, list.empty() ? "none" : list);
}

std::vector<float> SafetensorsFile::read_f32(const std::string & name) const {
    const TensorView & tensor = find(name);
    std::vector<float> result(tensor.count());
    switch (tensor.dtype) {
    case DType::f32:
        std::memcpy(result.data(), tensor.bytes.data(), tensor.bytes.size());
        return result;
    case DType::f16:
        convert_all<std::uint16_t>(tensor.bytes, result, half_to_float);
        return result;
    case DType::bf16:
        convert_all<std::uint16_t>(tensor.bytes, result, [](std::uint16_t bits) {
            return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
        });
        return result;
    case DType::f64:
        convert_all<double>(tensor.bytes, result, [](double number) { return static_cast<float>(number); });
        return result;
    case DType::i32:
    case DType::i64:
    case DType::u8:
        break;
    }
    fail(ErrorKind::bad_input, "{}: tensor '{}' is {}, a tensor of floating-point numbers was expected", path_.string(),
         name, to_string(tensor.dtype));
}

void SafetensorsFile::release_pages() const {
    if (mapped_bytes_ > 0) {
        ::madvise(const_cast<char *>(mapping_.get()), mapped_bytes_, MADV_DONTNEED);
    }
}

bool ReadBudget::spend(std::size_t bytes) {
    constexpr std::size_t budget = 32U << 20;
    constexpr std::size_t window = 64U << 10; // Linux maps so much around the page that is touched
    if (spent_.fetch_add(bytes + window) < budget) {
        return false;
    }
    return spent_.exchange(0) >= budget; // one thread of those that come here at once
}

} // namespace valuelens
