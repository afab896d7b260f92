#include "report/shape.h"

#include <algorithm>

#include "base/fail.h"

namespace valuelens {

namespace {

bool is_number_or_null(const Json & json) {
    return json.is_number() || json.is_null();
}

bool has_lengths(const Json & list, const std::size_t * begin, const std::size_t * end) {
    if (begin == end) {
        return is_number_or_null(list);
    }
    return list.is_array() && list.size() == *begin && std::all_of(list.begin(), list.end(), [&](const Json & child) {
               return has_lengths(child, begin + 1, end);
           });
}

} // namespace

void Shape::need(bool there, const std::string & what) const {
    if (!there) {
        fail(ErrorKind::bad_input, "{}: has no {}; was it written by valuelens {}?", file_.string(), what, stage_);
    }
}

const Json & Shape::at(const Json & object, const char * key) const {
    static const Json none;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? none : *found;
}

const Json & Shape::of_kind(const Json & object, const char * key, bool (Json::*is)() const, const char * kind) const {
    const Json & value = at(object, key);
    need((value.*is)(), fmt::format("{} \"{}\"", kind, key));
    return value;
}

const Json & Shape::array(const Json & object, const char * key) const {
    return of_kind(object, key, &Json::is_array, "list");
}

const Json & Shape::object(const Json & object, const char * key) const {
    return of_kind(object, key, &Json::is_object, "object");
}

const Json & Shape::number(const Json & object, const char * key) const {
    return of_kind(object, key, &Json::is_number, "number");
}

const Json & Shape::text(const Json & object, const char * key) const {
    return of_kind(object, key, &Json::is_string, "text");
}

void Shape::texts(const Json & object, const char * key) const {
    const Json & list = at(object, key);
    need(list.is_null() || (list.is_array() &&
                            std::all_of(list.begin(), list.end(), [](const Json & one) { return one.is_string(); })),
         fmt::format("list of texts \"{}\"", key));
}

void Shape::estimate(const Json & object, const char * key, bool optional) const {
    const Json & value = at(object, key);
    need((optional && value.is_null()) ||
             (value.is_array() && std::all_of(value.begin(), value.end(), is_number_or_null)),
         fmt::format("estimate \"{}\"", key));
}

void Shape::numbers(const Json & list, const std::string & what, std::initializer_list<std::size_t> lengths) const {
    need(has_lengths(list, lengths.begin(), lengths.end()), fmt::format("numbers \"{}\" of the right lengths", what));
}

} // namespace valuelens
