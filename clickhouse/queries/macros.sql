SELECT macro
FROM system.macros
