-- Keys that all share and that a stranger gave another type are moved aside. Looking and moving are one step, so that
-- none is moved that another script has made anew in between.
-- ARGV: key, the type it should have, key, type …
-- Returns: key, the type that was found, key, type … of those that were moved
even_if_memory_is_full()
local moved = {}
for place = 1, #ARGV, 2 do
  local key, right = ARGV[place], ARGV[place + 1]
  local found = redis.call('TYPE', key).ok
  if found ~= right and found ~= 'none' then
    set_key_aside(key)
    moved[#moved + 1] = key
    moved[#moved + 1] = found
  end
end
return moved
