# The whole agent with an API of its own: it follows containers and reads their lines.
package=$(dirname "$(command -v crowdsec)")/../..
cp -r "$package/etc/crowdsec" config
cp -r "$package/usr/share/crowdsec/hub" config/hub
mkdir -p data config/notifications config/plugins
rm config/acquis.yaml
sed -e "s,/etc/crowdsec,$PWD/config,; s,/var/lib/crowdsec/data,$PWD/data,; s,/var/lib/crowdsec/hub,$PWD/config/hub,; s,/usr/lib/crowdsec,$PWD/config," \
    -e 's,daemonize: true,daemonize: false,; s,log_media: file,log_media: stdout,' \
    -e '/online_client:/,/credentials_path: .*online/d' \
    "$package/etc/crowdsec/config.yaml" >config/config.yaml
cat >config/acquis.yaml <<YAML
source: docker
container_name_regexp: [staged]
check_interval: 1s
labels: {type: syslog}
YAML
cscli -c config/config.yaml machines add --auto --force
crowdsec -c config/config.yaml &
crowdsec=$!
trap 'kill $crowdsec; wait $crowdsec || true' EXIT
ask() { wget -q -O - http://127.0.0.1:6060/metrics; }
lines() { ask 2>/dev/null | sed -n 's/^cs_dockersource_hits_total.* //p'; }
until [ "$(lines)0" -ge 30 ]; do sleep 0.2; done # three lines
