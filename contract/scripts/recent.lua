-- A caller's newest jobs, newest first; those whose record is gone are forgotten on the way.
-- ARGV: caller, how many to skip, how many to return at most.  Returns: ids
local caller, skip, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local found = {}
for _, id in ipairs(on('ZREVRANGE', made_by(caller), 0, -1)) do
  if #found == most then break end
  if redis.call('EXISTS', record(id)) == 0 then
    redis.call('ZREM', made_by(caller), id)
  elseif skip > 0 then
    skip = skip - 1
  else
    found[#found + 1] = id
  end
end
return found
