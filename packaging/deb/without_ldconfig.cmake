# CPack gives whatever has a library below /usr/lib scripts that call ldconfig: libsysvm0's trigger does that
# once for all packages, and sysvm's libraries are its own. Taken out again.
foreach(deb IN LISTS CPACK_PACKAGE_FILES)
  if(deb MATCHES "/(sysvm|libsysvm0)_")
    execute_process(COMMAND sh -euc [[
      work=$(mktemp -d)
      trap 'rm -rf "$work"' EXIT
      dpkg-deb -R "$1" "$work/tree"
      for script in postinst postrm; do
        if grep -q ldconfig "$work/tree/DEBIAN/$script" 2>/dev/null; then rm "$work/tree/DEBIAN/$script"; fi
      done
      dpkg-deb --root-owner-group --build "$work/tree" "$1" >/dev/null
    ]] sh ${deb} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
