-- Recorded payloads in turn, each time with another number where their alerts are told apart.
-- Arguments: the path, the first number, then a content type and a file of pieces for each payload.
local posts, count, number, path = {}, 0, 0, ""
function init(args)
  path, number = args[1], tonumber(args[2])
  for i = 3, #args, 2 do
    local file, pieces = io.open(args[i + 1], "rb"), {}
    for piece in (file:read("*a") .. "\0"):gmatch("(%Z*)%z") do pieces[#pieces + 1] = piece end
    file:close()
    posts[#posts + 1] = {pieces = pieces, headers = {["Content-Type"] = args[i]}}
  end
end
function request()
  count, number = count + 1, number + 1
  local post = posts[count % #posts + 1]
  return wrk.format("POST", path, post.headers, table.concat(post.pieces, number))
end
