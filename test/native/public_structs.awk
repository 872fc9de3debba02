# What the public headers declare, as lines of C++ that test/native/abi_test.cc includes:
#   STRUCT(ups_linear_options)  FIELD(ups_linear_options, activation)  OPERATION(linear_forward)
# Every struct, every field, and every function of a header of an operation: none can be forgotten.
FNR == 1 { is_operations = FILENAME ~ /\/kernels\// }
{
  gsub(/\/\*[^*]*\*\//, "")
  if (inside_comment && !sub(/^.*\*\//, "")) next
  inside_comment = sub(/\/\*.*$/, "")
}
/^typedef struct ups_[a-z0-9_]+ \{/ {
  name = $3
  print "STRUCT(" name ")"
  next
}
name != "" && /^\}/ { name = "" }
name != "" { declaration = declaration $0 }
name != "" && /;[ \t]*$/ {
  while (match(declaration, /UPS_DEFAULT\(([^()]|\([^()]*\))*\)/))
    declaration = substr(declaration, 1, RSTART - 1) substr(declaration, RSTART + RLENGTH)
  gsub(/;.*|\[[^\]]*\]/, "", declaration)
  count = split(declaration, fields, ",")
  for (i = 1; i <= count; ++i) {
    words = split(fields[i], parts, /[ \t*]+/)
    while (parts[words] == "") --words
    print "FIELD(" name ", " parts[words] ")"
  }
  declaration = ""
}
is_operations && match($0, /UPS_API ups_status ups_[a-z0-9_]+\(/) {
  print "OPERATION(" substr($0, RSTART + 23, RLENGTH - 24) ")"
}
